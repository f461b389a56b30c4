"""The plan `http` against a real server of this machine."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from execloop import Context, FatalError, Wait
from execloop._engine.tasks import detail_of
from execloop._plans.limits import Limits
from execloop.library.http import Http, Parameters
from execloop.testing import assert_idempotent, converge, survive_failures
from tests.unit.library.http.api import Api, answers, serving

HERE = Limits((), ("127.0.0.1",))


def make(api: Api, state: MutableMapping[str, Any] | None = None, **given: Any) -> Http:
    context = replace(Context("team", state={} if state is None else state), limits=HERE)
    where = {} if "search" in given else {"url": f"{api.url}/teams/blue"}
    return Http(Parameters.model_validate({**where, **given}), context)


class Teardown:
    def __init__(self, plan: Http) -> None:
        self.create = plan.teardown


def test_a_resource_is_created_when_it_is_missing(api: Api) -> None:
    assert converge(make(api, expect={"size": 3})).tasks == 1
    assert api.objects == {"/teams/blue": {"size": 3}}
    assert_idempotent(make(api, expect={"size": 3}))


def test_a_resource_is_changed_when_it_differs_and_what_it_has_besides_stays(api: Api) -> None:
    api.objects["/teams/blue"] = {"size": 4, "id": 7, "made": {"by": "them"}}
    converge(make(api, expect={"size": 3}))
    assert api.objects["/teams/blue"] == {"size": 3, "id": 7, "made": {"by": "them"}}
    assert api.asked[-2:] == ["PATCH /teams/blue", "GET /teams/blue"]


def test_a_server_that_takes_whole_objects_gets_what_it_has_with_the_changes(api: Api) -> None:
    api.objects["/teams/blue"] = {"size": 4, "tags": {"a": 1, "b": 2}}
    converge(make(api, expect={"tags": {"a": 5}}, update={"method": "PUT"}))
    assert api.objects["/teams/blue"] == {"size": 4, "tags": {"a": 5, "b": 2}}


def test_a_change_is_made_to_the_version_that_was_compared(api: Api) -> None:
    """Another client changes the object between our GET and our PATCH: the server refuses it, and we look again."""
    api.objects["/teams/blue"] = {"size": 4}

    async def overtaken(request: web.Request) -> web.StreamResponse:
        response = await api.answer(request)
        api.objects["/teams/blue"] = {"size": 5, "by": "another"}
        api.versions["/teams/blue"] = 9
        return response

    api.faults = [None, overtaken]
    converge(make(api, expect={"size": 3}), errors_to_tolerate=0)
    assert api.objects["/teams/blue"] == {"size": 3, "by": "another"}
    assert [each.get("If-Match") for each in api.headers if "If-Match" in each] == ['"0"', '"9"']


def test_what_another_client_creates_at_the_same_moment_is_not_overwritten(api: Api) -> None:
    async def created_just_now(request: web.Request) -> web.StreamResponse:
        api.objects["/teams/blue"] = {"size": 4, "by": "another"}
        return web.json_response({}, status=404)

    api.faults = [None, created_just_now]
    converge(make(api, expect={"size": 3}), errors_to_tolerate=0)
    assert api.objects["/teams/blue"] == {"size": 3, "by": "another"}


def test_the_task_names_what_differs_and_shows_no_value(api: Api) -> None:
    api.objects["/teams/blue"] = {"size": 4}
    (task,) = asyncio.run(make(api, expect={"size": 3}).create())
    assert task.name == f"update {api.url}/teams/blue: size"
    assert '"size": 3' in detail_of(task)


def test_asking_what_is_needed_only_reads(api: Api) -> None:
    asyncio.run(make(api, expect={"size": 3}).create())
    assert api.asked == ["GET /teams/blue"]


def test_cel_says_what_a_comparison_cannot(api: Api) -> None:
    api.objects["/teams/blue"] = {"size": 2}
    plan = make(api, expectWhen="object.size >= 3", update={"method": "PATCH", "body": {"size": 5}})
    assert converge(plan).tasks == 1
    assert api.objects["/teams/blue"] == {"size": 5}


def test_a_resource_that_is_not_ready_is_waited_for(api: Api) -> None:
    api.objects["/teams/blue"] = {"size": 3, "state": "making"}
    plan = make(api, expect={"size": 3}, readyWhen="object.state == 'ready'")
    with pytest.raises(Wait, match="is not ready"):
        asyncio.run(plan.create())
    api.objects["/teams/blue"]["state"] = "ready"
    assert asyncio.run(plan.create()) == []


def test_with_observe_only_nothing_is_changed(api: Api) -> None:
    plan = make(api, expect={"size": 3}, observeOnly=True)
    with pytest.raises(Wait, match="/teams/blue does not exist"):
        asyncio.run(plan.create())
    api.objects["/teams/blue"] = {"size": 4}
    with pytest.raises(Wait, match="/teams/blue differs in size"):
        asyncio.run(plan.create())
    assert asyncio.run(plan.teardown()) == []
    assert {each.split()[0] for each in api.asked} == {"GET"}


# -- teardown


def test_a_teardown_deletes_it_and_waits_until_it_is_gone(api: Api) -> None:
    api.objects["/teams/blue"] = {"size": 3}
    plan = make(api, expect={"size": 3})
    assert converge(Teardown(plan)).tasks == 1
    assert api.objects == {}

    api.objects["/teams/blue"] = {"size": 3}
    slow = make(api, expect={"size": 3})
    api.faults = [None, None, answers(202)]
    with pytest.raises(AssertionError, match=r"it waits: .*/teams/blue is being deleted"):
        converge(Teardown(slow), within=2)
    del api.objects["/teams/blue"]
    assert converge(Teardown(slow)).tasks == 0


# -- search


def search(api: Api, **more: Any) -> dict[str, Any]:
    return {
        "url": f"{api.url}/teams?q=b",
        "items": "items",
        "match": {"name": "blue"},
        "itemUrl": f"{api.url}/teams/${{id}}",
        **more,
    }


CREATE = {"method": "POST"}


def test_a_resource_is_found_among_the_pages_of_a_list(api: Api) -> None:
    api.objects["/teams/7"] = {"id": 7, "name": "blue", "size": 4}
    pages = [
        answers(body={"items": [{"name": "red"}], "next": "/teams?page=2"}),
        answers(body={"items": [{"id": 7, "name": "blue"}]}),
    ]
    api.faults = [*pages, None, *pages, None, None, *pages]
    converge(make(api, search=search(api, next="next"), expect={"size": 3}))
    assert api.asked[:3] == ["GET /teams?q=b", "GET /teams?page=2", "GET /teams/7"]
    assert api.objects["/teams/7"]["size"] == 3


@pytest.mark.parametrize(
    ("more", "first", "second"),
    [
        ({}, {"Link": '<{url}/teams?page=2>; rel="next", <{url}/teams?page=9>; rel="last"'}, "GET /teams?page=2"),
        ({"next": "token", "nextParameter": "after"}, {}, "GET /teams?q=b&after=t%2B1"),
    ],
)
def test_pages_follow_each_other_by_header_or_token(
    api: Api, more: dict[str, str], first: dict[str, str], second: str
) -> None:
    headers = {name: value.replace("{url}", api.url) for name, value in first.items()}
    api.faults = [answers(200, {"items": [], "token": "t+1"}, **headers), answers(body={"items": []})]
    create = {**CREATE, "url": f"{api.url}/teams"}
    (task,) = asyncio.run(make(api, search=search(api, **more), expect={"name": "blue"}, create=create).create())
    assert task.name == f"create {api.url}/teams"
    assert api.asked[1] == second


def test_a_next_page_on_another_server_is_not_asked_for(api: Api) -> None:
    api.faults = [answers(body={"items": [], "next": "http://127.0.0.1:1/teams"})]
    with pytest.raises(Exception, match="the next page is on another server"):
        converge(make(api, search=search(api, next="next")), errors_to_tolerate=0)


def test_several_that_match_are_an_error_that_no_attempt_passes(api: Api) -> None:
    api.faults = [answers(body={"items": [{"name": "blue"}, {"name": "blue"}]})]
    with pytest.raises(FatalError, match="2 items match"):
        converge(make(api, search=search(api)))


def test_a_list_that_never_ends_is_given_up(api: Api) -> None:
    api.faults = [answers(body={"items": [], "next": "/teams?page=x"})] * 100
    with pytest.raises(Exception, match="over 100 pages"):
        converge(make(api, search=search(api, next="next")), errors_to_tolerate=0)


def test_what_was_created_is_not_created_twice_where_the_list_shows_it_late(api: Api) -> None:
    state: dict[str, Any] = {}
    empty = answers(200, {"items": []})
    api.faults = [empty, empty, None, empty]
    create = {**CREATE, "url": f"{api.url}/teams"}
    assert converge(make(api, state, search=search(api), expect={"name": "blue"}, create=create)).tasks == 1
    assert list(api.objects) == ["/teams/0"]

    api.objects.clear()
    api.faults = [empty, None, empty, None, empty]
    assert converge(make(api, state, search=search(api), expect={"name": "blue"}, create=create)).tasks == 1


# -- asynchronous operations

POLL = {"done": "object.status == 'done'", "failed": "object.status == 'failed'", "every": "1s"}


def test_an_operation_is_followed_until_it_has_ended(api: Api) -> None:
    state: dict[str, Any] = {}
    api.faults = [None, None, answers(202, Operation_Location="/operations/1"), answers(body={"status": "running"})]
    with pytest.raises(AssertionError, match="it waits: the operation /operations/1"):
        converge(make(api, state, expect={"size": 3}, poll=POLL), within=2)
    assert state == {"operation": f"{api.url}/operations/1"}

    api.objects |= {"/operations/1": {"status": "done"}, "/teams/blue": {"size": 3}}
    assert converge(make(api, state, expect={"size": 3}, poll=POLL)).tasks == 0
    assert state == {}
    assert sum(each.startswith("PUT") for each in api.asked) == 1


def test_an_operation_that_fails_is_an_error_once(api: Api) -> None:
    state = {"operation": f"{api.url}/operations/1"}
    api.objects["/operations/1"] = {"status": "failed"}
    with pytest.raises(Exception, match="/operations/1: the operation failed"):
        asyncio.run(make(api, state, expect={"size": 3}, poll=POLL).create())
    assert state == {}


def test_it_survives_a_failure_at_each_call() -> None:
    """A server makes one object, however often the creation is asked for."""
    with serving() as api:

        def world() -> str:
            return f"{api.url}/teams/{len(api.objects)}"

        def check(url: str) -> None:
            assert api.objects[url.removeprefix(api.url)] == {"size": 3}

        def plan(url: str) -> Http:
            return make(api, url=url, expect={"size": 3})

        assert len(survive_failures(plan, world=world, check=check).points) == 12
