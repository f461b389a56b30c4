"""A command's way to the Plans of a cluster: kubectl's flags, one connection, errors in a line. Each verb has one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec

import click

from execloop.cli.exits import FAILED, Mistake
from execloop.resource.fields import API, KIND, Plan, key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from execloop.kube import Kube

__all__ = ["API", "KIND", "MANAGER", "Place", "Plan", "Session", "connected", "key", "place_options"]

P = ParamSpec("P")

MANAGER: Final = "execloop"
"""The field manager of all writes: Flux takes away what a manager whose name begins with `kubectl` set."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command looks, as its flags say."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


class Session:
    """One command's connection. `namespace` is that of the flags, else the context's."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube, self.namespace = kube, namespace

    def path(self, name: str = "", namespace: str | None = None) -> str:
        """Return the path of one Plan, or of all of a namespace; "" for every namespace."""
        place = self.namespace if namespace is None else namespace
        return f"/apis/{API}{f'/namespaces/{place}' if place else ''}/plans{f'/{name}' if name else ''}"

    async def find(self, name: str, namespace: str | None = None) -> Plan | None:
        """Return a Plan, None when there is none of the name. Raises ApiError."""
        return await self.kube.get(API, KIND, name, namespace or self.namespace)

    async def plan(self, name: str) -> Plan:
        """Return a Plan. Raises Mistake when there is none of the name."""
        found = await self.find(name)
        if found is None:
            raise Mistake(f"there is no Plan {self.namespace}/{name}; `execloop get -A` lists all")
        return found

    async def plans(self, namespace: str | None = None, selector: str | None = None) -> list[Plan]:
        """Return the Plans of a namespace, "" for every one, by namespace and name. Raises ApiError."""
        found = await self.kube.list(API, KIND, self.namespace if namespace is None else namespace, selector)
        return sorted(found, key=key)

    async def patch(self, plan: Plan, body: Mapping[str, Any]) -> Plan:
        """Write to a Plan as the field manager `execloop`, if it is still the same one. Raises ApiError."""
        metadata = plan["metadata"]
        guarded = {**body, "metadata": {**body.get("metadata", {}), "uid": metadata["uid"]}}
        return await self.kube.patch(API, KIND, metadata["name"], guarded, metadata["namespace"])

    async def user(self) -> str | None:
        """Return the name that the API server knows us by; None where it does not say."""
        from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self.kube.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        except ApiError:
            return None
        return str(answer["status"]["userInfo"].get("username") or "") or None


def place_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add kubectl's flags, which become one `place`."""

    @click.option("-n", "--namespace", metavar="NS", help="The namespace. Default: the context's.")
    @click.option("--context", metavar="NAME", help="A context of the kubeconfig. Default: its current one.")
    @click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Default: $KUBECONFIG, the pod's service account, ~/.kube/config.",
    )
    @functools.wraps(function)
    def call(*args: Any, kubeconfig: Path | None, context: str | None, namespace: str | None, **kwargs: Any) -> Any:
        return function(Place(kubeconfig, context, namespace), *args, **kwargs)

    return call


def connected(function: Callable[Concatenate[Session, P], Awaitable[int | None]]) -> Callable[..., int | None]:
    """Make a command of async code that wants a Session: with kubectl's flags, and with errors in one line."""

    @place_options
    @functools.wraps(function)
    def call(place: Place, /, *args: P.args, **kwargs: P.kwargs) -> int | None:
        return run(place, lambda session: function(session, *args, **kwargs))

    return call


def run(place: Place, work: Callable[[Session], Awaitable[int | None]]) -> int | None:
    """Return the work's exit code; 1 when the API server refuses or does not answer. Raises Mistake."""
    import asyncio  # noqa: PLC0415 - costly to import

    from execloop.kube import ApiError, ConfigurationError  # noqa: PLC0415 - as above

    try:
        return asyncio.run(_with_session(place, work))
    except ConfigurationError as error:
        raise Mistake(str(error)) from None
    except ApiError as error:
        if error.reason == "NoSuchKind":
            message = "this cluster has no Plans: install the CRD, kubectl apply -f crds/execloop.dev_plans.yaml"
        else:
            message = f"the API server: {error}"
        click.echo(f"Error: {message}", err=True)
        return FAILED


async def _with_session(place: Place, work: Callable[[Session], Awaitable[int | None]]) -> int | None:
    from execloop.kube import Connection, Kube  # noqa: PLC0415 - costly to import

    connection = Connection.load(place.kubeconfig, place.context)
    try:
        namespace = place.namespace or connection.cluster.namespace
        return await work(Session(Kube(connection, namespace=namespace), namespace))
    finally:
        await connection.close()
