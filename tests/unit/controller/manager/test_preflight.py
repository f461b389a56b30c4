"""What an API server may lack that no real one at hand does; tests/integration/test_operator_start.py has the rest."""

from typing import Any, cast

import pytest

from execloop.controller.manager.preflight import missing_rights, problem
from execloop.kube import ApiError, Connection
from tests.asynchronous import in_event_loop


class Server:
    """Answers each path with what it is given; with 404 where that is nothing."""

    def __init__(self, **answers: dict[str, Any]) -> None:
        self.denied: set[str] = set()
        """Namespaces without rights."""
        self.answers = {"/version": answers.get("version"), "/apis/execloop.dev/v1alpha1": answers.get("plans")}

    async def request(self, method: str, path: str, *, body: Any = None) -> dict[str, Any]:
        if method == "POST":
            namespace = body["spec"]["resourceAttributes"].get("namespace", "")
            return {"status": {"allowed": namespace not in self.denied}}
        if (answer := self.answers[path]) is None:
            raise ApiError(404, "NotFound", "", request=f"GET {path}")
        return answer


SERVED = {"resources": [{"name": "plans"}, {"name": "plans/status"}]}


def version(major: str, minor: str) -> dict[str, str]:
    return {"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}"}


async def told(server: Server) -> str:
    return await problem(cast("Connection", server), (), None)


@pytest.mark.parametrize(("major", "minor"), [("1", "30"), ("1", "31+"), ("1", "37"), ("2", "0")])
@in_event_loop
async def test_a_version_from_1_30_on_is_supported(major: str, minor: str) -> None:
    assert await told(Server(version=version(major, minor), plans=SERVED)) == ""


@pytest.mark.parametrize(("major", "minor"), [("1", "29"), ("1", "9"), ("0", "99")])
@in_event_loop
async def test_an_older_one_is_not(major: str, minor: str) -> None:
    message = f"Kubernetes v{major}.{minor} is not supported: 1.30 or newer is needed"
    assert await told(Server(version=version(major, minor), plans=SERVED)) == message


@in_event_loop
async def test_what_is_no_kubernetes_is_not() -> None:
    assert await told(Server(version={"name": "nginx"})) == "Kubernetes None is not supported: 1.30 or newer is needed"


@pytest.mark.parametrize("served", [{}, {"resources": [{"name": "plans"}]}], ids=["another group's", "no status"])
@in_event_loop
async def test_a_crd_of_another_making_is_not_ours(served: dict[str, Any]) -> None:
    server = Server(version=version("1", "37"), plans=served)
    assert await told(server) == "the CRD of Plans is not installed: kubectl apply -f crds/execloop.dev_plans.yaml"


@in_event_loop
async def test_a_namespace_without_rights_keeps_the_operator_from_no_other() -> None:
    server = Server(version=version("1", "37"), plans=SERVED)
    server.denied = {"blue"}
    connection = cast("Connection", server)
    assert await problem(connection, ("red", "blue"), None) == ""
    assert await missing_rights(connection, "red") == ""
    assert await missing_rights(connection, "blue") == (
        "rights are missing: list plans.execloop.dev in blue; watch plans.execloop.dev in blue;"
        " update plans.execloop.dev/status in blue"
    )


@in_event_loop
async def test_without_rights_in_any_it_waits() -> None:
    server = Server(version=version("1", "37"), plans=SERVED)
    server.denied = {"red", "blue"}
    told = await problem(cast("Connection", server), ("red", "blue"), None)
    assert (told.count("in red"), told.count("in blue")) == (3, 3)
