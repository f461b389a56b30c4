"""The cases of provider-http's own tests, by their names there, against `http` and a real server of this machine.

Where we differ on purpose the row says why, and asserts what we do. Read at its main branch of November 2026: how it
compares, whether it is up to date, whether it was removed, and what it sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from execloop import Context
from execloop._plans.limits import Limits
from execloop.library.http import Http, Parameters
from execloop.testing import converge
from tests.unit.library.http.api import Api, answers, resets, sends, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JOHN = {"email": "john.doe@example.com", "username": "john_doe"}
PATH = "/users/123"


@dataclass(frozen=True)
class Case:
    """What the server has (None: nothing), what is expected of it, and which changes are sent."""

    peer: str
    has: Mapping[str, Any] | None
    expect: Mapping[str, Any]
    sent: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    fault: Any = None
    """What answers the first request in place of the server."""
    says: str = ""
    """A part of what stands in the way; empty: it has converged."""
    has_then: Mapping[str, Any] | None = None
    teardown: bool = False
    differs: str = ""


UPDATE, CREATE, DELETE = ("PATCH",), ("PUT",), ("DELETE",)
NESTED = {**JOHN, "details": {"a": "a", "b": "b", "c": {"c": "c"}}}

CASES = [
    # Contains
    Case("Contains/Success", {**JOHN, "details": {"a": "a", "b": "b"}}, {"username": "john_doe"}),
    Case("Contains/SuccessMatchesJsons", NESTED, NESTED),
    Case("Contains/SuccessNestedJsons", NESTED, {**JOHN, "details": {"b": "b", "c": {"c": "c"}}}),
    Case("Contains/Fails", JOHN, {"false": "x"}, UPDATE, has_then={**JOHN, "false": "x"}),
    Case(
        "Contains/NestedJsonsFail",
        {**JOHN, "details": {"a": "a", "b": "b"}},
        {**JOHN, "details": {"a": "a", "c": "c"}},
        UPDATE,
    ),
    Case("Contains/ExtraKeysInContainer", {**JOHN, "extra": "x"}, {"email": JOHN["email"]}),
    Case("Contains/EmptyContainee", JOHN, {}),
    Case("Contains/EmptyContainer", {}, {"email": JOHN["email"]}, UPDATE, has_then={"email": JOHN["email"]}),
    # IsUpToDate
    Case("IsUpToDate/ObjectIdKnownBeforeCreate", {"username": "new"}, {"username": "new"}),
    Case(
        "IsUpToDate/ObjectNotFoundEmptyStatus",
        None,
        {"username": "new"},
        CREATE,
        has_then={"username": "new"},
        differs="what was asked before is not needed to know that it is missing: the server says so",
    ),
    Case(
        "IsUpToDate/ObjectNotFoundPostFailed",
        None,
        {"username": "new"},
        ("POST",),
        given={"create": {"method": "POST"}},
        fault=(None, None, answers(400, {"message": "no"})),
        says="400",
    ),
    Case("IsUpToDate/ObjectNotFound404StatusCode", None, {"username": "new"}, CREATE, fault=(answers(404),)),
    Case(
        "IsUpToDate/FailBodyNotJSON",
        JOHN,
        {"username": "new"},
        fault=(sends(b"not a JSON"),),
        says="the answer is not JSON",
    ),
    Case("IsUpToDate/SuccessNotSynced", {"username": "old"}, {"username": "new"}, UPDATE, has_then={"username": "new"}),
    Case(
        "IsUpToDate/SuccessNoPUTMapping",
        {"username": "old"},
        {"username": "new"},
        given={"observeOnly": True},
        says="differs in username",
        has_then={"username": "old"},
        differs="a resource that may not be changed and differs is not up to date: the Plan waits and names it",
    ),
    Case("IsUpToDate/SuccessJSONBody", {"username": "new"}, {"username": "new"}),
    Case(
        "IsUpToDate/MissingMappingObjectNotCreated",
        None,
        {"username": "new"},
        CREATE,
        differs="there is no way to leave out how the resource is looked at: `url` or `search` says it",
    ),
    # DefaultIsUpToDateCheck, CustomIsUpToDateCheck
    Case("DefaultIsUpToDateCheck/UnsyncedStateWithValidJSON", {"username": "john_doe"}, JOHN, UPDATE, has_then=JOHN),
    Case("DefaultIsUpToDateCheck/InvalidResponseJSON", JOHN, JOHN, fault=(sends(b"{"),), says="the answer is not JSON"),
    Case(
        "CustomIsUpToDateCheck/CustomCheckPasses",
        {"password": "password"},
        {},
        given={"expectWhen": "object.password == 'password'"},
    ),
    Case(
        "CustomIsUpToDateCheck/CustomCheckFails",
        {"password": "wrong"},
        {},
        UPDATE,
        given={
            "expectWhen": "object.password == 'password'",
            "update": {"method": "PATCH", "body": {"password": "password"}},
        },
        has_then={"password": "password"},
    ),
    # IsRemovedCheck
    Case("DefaultIsRemovedCheck, removed by 404", JOHN, JOHN, DELETE, teardown=True),
    Case(
        "CustomIsRemovedCheck, removed by another status",
        None,
        JOHN,
        given={"absent": [403]},
        fault=(answers(403),),
        teardown=True,
    ),
    # DeployAction
    Case(
        "DeployAction/SuccessfulPOSTAction",
        None,
        {"username": "new"},
        ("POST",),
        given={"create": {"method": "POST", "body": {"username": "${name}"}}, "values": {"name": "new"}},
        fault=(None, None, answers(201, {"username": "new"}), answers(200, {"username": "new"})),
    ),
    Case(
        "DeployAction/SuccessfulPUTAction",
        {"username": "john_doe", "id": "123"},
        {"username": "john_updated"},
        ("PUT",),
        given={"update": {"method": "PUT"}},
        has_then={"username": "john_updated", "id": "123"},
    ),
    Case("DeployAction/SuccessfulDELETEAction", JOHN, JOHN, DELETE, teardown=True),
    Case(
        "DeployAction/HttpRequestError",
        JOHN,
        JOHN,
        fault=(resets,) * 20,
        says="PATH",
        differs="a server that breaks off a look is waited for; it costs nothing of the budget",
    ),
]


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as made:
        yield made


class Driven:
    name = "http"

    def __init__(self, api: Api, case: Case) -> None:
        given = {"url": f"{api.url}{PATH}", "expect": dict(case.expect), **case.given}
        context = replace(Context("team", state={}), limits=Limits((), ("127.0.0.1",)))
        plan = Http(Parameters.model_validate(given), context)
        self.create = plan.teardown if case.teardown else plan.create


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.peer)
def test_a_case_of_the_peer(case: Case, api: Api) -> None:
    if case.has is not None:
        api.objects[PATH] = dict(case.has)
    api.faults = list(case.fault or ())
    said = ""
    try:
        converge(Driven(api, case), 5, errors_to_tolerate=0)
    except Exception as error:  # whatever stands in the way
        said = str(error)
    wanted = case.says.replace("PATH", PATH)
    assert wanted in said if wanted else said == "", said
    changes = tuple(asked.partition(" ")[0] for asked in api.asked if not asked.startswith("GET"))
    assert changes == case.sent
    if case.has_then is not None:
        assert api.objects[PATH] == case.has_then
    if case.teardown:
        assert PATH not in api.objects
