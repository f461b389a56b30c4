"""What the client does before anything is sent, and with answers that no real API server gives on demand."""

from collections.abc import Callable
from typing import Any

import pytest

from execloop.kube import ApiError, Cluster, Connection, Kube, Resource
from execloop.kube.config.credentials import StaticCredentials
from tests.asynchronous import in_event_loop

NOWHERE = Connection(Cluster("http://127.0.0.1:1", StaticCredentials()))
KUBE = Kube.for_plan(NOWHERE, namespace="default", name="web", uid="u")
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("get", lambda: KUBE.get("v1", "ConfigMap", "x")),
        ("list", lambda: KUBE.list("v1", "ConfigMap")),
        ("owned", lambda: KUBE.owned("v1", "ConfigMap")),
        ("apply", lambda: KUBE.apply(CONFIG_MAP)),
        ("compare", lambda: KUBE.compare(CONFIG_MAP)),
        ("create", lambda: KUBE.create(CONFIG_MAP)),
        ("patch", lambda: KUBE.patch("v1", "ConfigMap", "x", {})),
        ("delete", lambda: KUBE.delete("v1", "ConfigMap", "x")),
        ("request", lambda: KUBE.request("GET", "/version")),
    ],
)
def test_a_call_outside_async_code_names_the_synchronous_client(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=rf"context\.kube\.{name}\(\) .* context\.api_client"):
        call()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "an object must be a dict, not list"),
        (None, "an object must be a dict, not NoneType"),
        ({}, "apiVersion of an object must be non-empty text"),
        ({"apiVersion": "v1"}, "kind of an object must be non-empty text"),
        ({"apiVersion": "v1", "kind": 5}, "kind of an object must be non-empty text"),
        ({**CONFIG_MAP, "metadata": None}, "metadata of a ConfigMap must be a mapping with a name"),
        ({**CONFIG_MAP, "metadata": {}}, "metadata.name of a ConfigMap must be non-empty text"),
        ({**CONFIG_MAP, "metadata": {"generateName": "x-"}}, "metadata.name of a ConfigMap must be non-empty text"),
        (
            {**CONFIG_MAP, "metadata": {"name": "x", "namespace": ""}},
            "metadata.namespace of ConfigMap x must be non-empty text",
        ),
        ({**CONFIG_MAP, "metadata": {"name": "x", "labels": []}}, "metadata.labels of ConfigMap x must be a mapping"),
    ],
)
@in_event_loop
async def test_what_names_no_object_is_refused_with_the_field(wanted: Any, message: str) -> None:
    for call in (KUBE.apply, KUBE.compare, KUBE.create):
        with pytest.raises(ValueError, match=f"^{message}$"):
            await call(wanted)


class Pages(Connection):
    """A server that has forgotten where the second page began, unless all is asked for at once."""

    async def request(self, method: str, path: str, *, query: Any = None, **_: Any) -> dict[str, Any]:
        if path == "/api/v1":
            return {"resources": [{"kind": "ConfigMap", "name": "configmaps", "namespaced": True}]}
        if "continue" in query:
            raise ApiError(410, "Expired", "the continue parameter is too old")
        names = ["a"] if "limit" in query else ["a", "b"]
        return {
            "metadata": {"continue": "next" if "limit" in query else ""},
            "items": [{"metadata": {"name": name}} for name in names],
        }


@in_event_loop
async def test_a_list_whose_pages_expired_is_read_at_once() -> None:
    kube = Kube(Pages(NOWHERE.cluster), namespace="default")
    assert [item["metadata"]["name"] for item in await kube.list("v1", "ConfigMap")] == ["a", "b"]


@in_event_loop
async def test_who_has_no_namespace_must_say_one() -> None:
    with pytest.raises(ValueError, match="namespace is missing: ConfigMap lives in one"):
        await Kube(Pages(NOWHERE.cluster)).get("v1", "ConfigMap", "x")


def test_a_resource_without_namespaces_ignores_one() -> None:
    assert Resource("v1", "Node", "nodes", namespaced=False).path("x", "default") == "/api/v1/nodes/x"
