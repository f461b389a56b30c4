"""What a watch reports of a real API server's objects."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from execloop.kube import PLAN_UID_LABEL, ApiError, Connection, EventType, Kube, Watch
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster

SECONDS = 30


@pytest.fixture
def kube(cluster: Cluster, namespace: str) -> Kube:
    return Kube.for_plan(Connection.load(cluster.kubeconfig), namespace=namespace, name="web", uid="uid-web")


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


class Listener:
    """Keeps what it is told; `heard` waits for it."""

    def __init__(self) -> None:
        self.events: list[tuple[EventType, str]] = []
        self.metadata: list[dict[str, Any]] = []
        self.denials: list[ApiError] = []
        self.pauses: list[float] = []
        self._changed = asyncio.Event()

    def event(self, kind: EventType, metadata: dict[str, Any]) -> None:
        self.events.append((kind, metadata["name"]))
        self.metadata.append(metadata)
        self._changed.set()

    def denied(self, error: ApiError) -> None:
        self.denials.append(error)
        self._changed.set()

    async def sleep(self, seconds: float) -> None:
        """Much shorter than it was asked for."""
        self.pauses.append(seconds)
        self._changed.set()
        await asyncio.sleep(0.01)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def heard(self, *events: tuple[EventType, str]) -> None:
        await self.until(lambda: len(self.events) >= len(events))
        assert self.events == list(events)
        self.events.clear()

    def watch(self, kube: Kube, kind: str = "ConfigMap", selector: str | None = PLAN_UID_LABEL) -> Watch:
        return Watch(
            kube,
            "v1",
            kind,
            selector,
            self.event,
            namespace=kube.namespace or "",
            on_denied=self.denied,
            sleep=self.sleep,
        )


@asynccontextmanager
async def running(watch: Watch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@in_event_loop
async def test_what_is_there_and_every_change_is_reported(kube: Kube) -> None:
    listener = Listener()
    await kube.apply(config_map("a", k="1"))
    async with running(listener.watch(kube)):
        await listener.heard(("ADDED", "a"))
        await kube.apply(config_map("b"))
        await listener.heard(("ADDED", "b"))
        await kube.apply(config_map("a", k="2"))
        await listener.heard(("MODIFIED", "a"))
        await kube.delete("v1", "ConfigMap", "a")
        await listener.heard(("DELETED", "a"))


@in_event_loop
async def test_nothing_but_metadata_comes_here(kube: Kube) -> None:
    listener = Listener()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"password": "hunter2"}}
    async with running(listener.watch(kube, "Secret")):
        await kube.apply(secret)
        await listener.heard(("ADDED", "x"))
    [metadata] = listener.metadata
    assert metadata["labels"] == {PLAN_UID_LABEL: "uid-web"}
    assert "data" not in metadata
    assert "aHVudGVyMg==" not in repr(metadata)


@in_event_loop
async def test_only_what_is_selected_is_reported(kube: Kube) -> None:
    listener = Listener()
    async with running(listener.watch(kube)):
        await Kube(kube.connection, namespace=kube.namespace).create(config_map("nobodys"))
        await kube.create(config_map("ours"))
        await listener.heard(("ADDED", "ours"))


@in_event_loop
async def test_what_loses_its_label_is_reported_as_deleted(kube: Kube) -> None:
    listener = Listener()
    await kube.create(config_map("a"))
    async with running(listener.watch(kube)):
        await listener.heard(("ADDED", "a"))
        await kube.patch("v1", "ConfigMap", "a", {"metadata": {"labels": {PLAN_UID_LABEL: None}}})
        await listener.heard(("DELETED", "a"))


@in_event_loop
async def test_who_may_not_watch_is_told_once_and_asks_again_slowly(kube: Kube) -> None:
    listener = Listener()
    nobody = Kube(kube.connection.impersonating(str(kube.namespace), "nobody"), namespace=kube.namespace)
    async with running(listener.watch(nobody, "Secret")):
        await listener.until(lambda: len(listener.pauses) >= 3)
    assert [error.reason for error in listener.denials] == ["Forbidden"]
    assert listener.pauses == sorted(listener.pauses)


@in_event_loop
async def test_a_right_that_is_granted_later_is_used(kube: Kube, cluster: Cluster) -> None:
    listener = Listener()
    namespace = str(kube.namespace)
    worker = Kube(kube.connection.impersonating(namespace, "worker"), namespace=namespace)
    async with running(listener.watch(worker)):
        await listener.until(lambda: bool(listener.denials))
        cluster.kubectl(
            "create",
            "rolebinding",
            "view",
            "--clusterrole=view",
            f"--serviceaccount={namespace}:worker",
            "-n",
            namespace,
        )
        await kube.create(config_map("a"))
        await listener.heard(("ADDED", "a"))
    assert len(listener.denials) == 1


@in_event_loop
async def test_a_kind_may_come_and_go(kube: Kube, cluster: Cluster) -> None:
    group = f"{kube.namespace}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    listener = Listener()
    watch = Watch(kube, f"{group}/v1", "Widget", None, listener.event, sleep=listener.sleep)
    async with running(watch):
        await listener.until(lambda: len(listener.pauses) >= 2)
        await kube.apply(definition)
        cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=30s")
        await kube.apply({"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}})
        await listener.heard(("ADDED", "x"))
        await kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{group}")
        await listener.heard(("DELETED", "x"))


# asyncio leaves a TLS transport to the garbage collector when its server dies during the handshake.
server_dies = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@server_dies
@in_event_loop
async def test_a_restart_of_the_server_is_survived(own_cluster: Cluster) -> None:
    kube = Kube.for_plan(Connection.load(own_cluster.kubeconfig), namespace="default", name="web", uid="uid-web")
    listener = Listener()
    await kube.create(config_map("a"))
    async with running(listener.watch(kube)):
        await listener.heard(("ADDED", "a"))
        await asyncio.to_thread(own_cluster.stop_api_server)
        await listener.until(lambda: len(listener.pauses) >= 3)
        await asyncio.to_thread(own_cluster.start_api_server)
        await kube.create(config_map("b"))
        await listener.heard(("ADDED", "b"))


@server_dies
@in_event_loop
async def test_what_happened_while_nobody_listened_is_reported(own_cluster: Cluster) -> None:
    """A server that has restarted answers 410 to a version from before."""
    kube = Kube.for_plan(Connection.load(own_cluster.kubeconfig), namespace="default", name="web", uid="uid-web")
    listener = Listener()
    watch = listener.watch(kube)
    for name in ("deleted", "modified", "same"):
        await kube.apply(config_map(name))
    async with running(watch):
        await listener.heard(("ADDED", "deleted"), ("ADDED", "modified"), ("ADDED", "same"))
    await kube.delete("v1", "ConfigMap", "deleted")
    await kube.apply(config_map("modified", k="2"))
    await kube.apply(config_map("new"))
    await asyncio.to_thread(own_cluster.stop_api_server)
    await asyncio.to_thread(own_cluster.start_api_server)
    async with running(watch):
        await listener.heard(("MODIFIED", "modified"), ("ADDED", "new"), ("DELETED", "deleted"))
    assert listener.metadata[-1] == {"name": "deleted", "namespace": "default", "labels": {PLAN_UID_LABEL: "uid-web"}}
