"""Check what the operator needs before it can work: an API server of a known version, the CRD, rights.

`process` asks until nothing is missing; the watch of Plans asks for the rights in each namespace.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

from execloop.controller.api.v1alpha1 import API_VERSION, GROUP, PLURAL
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from execloop.controller.settings import Election
    from execloop.kube import Connection

__all__ = ["MINIMUM", "missing_rights", "problem"]

MINIMUM = (1, 30)
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class _Right(NamedTuple):
    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    """Empty: all of them."""
    name: str = ""

    def __str__(self) -> str:
        subresource = f"/{self.subresource}" if self.subresource else ""
        place = f"in {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {self.resource}.{self.group}{subresource} {place}"


async def problem(connection: Connection, namespaces: Sequence[str], election: Election | None) -> str:
    """One line that says what is missing and what to do; empty when nothing is."""
    try:
        return (
            await _version(connection)
            or await _definition(connection)
            or await _rights(connection, namespaces, election)
        )
    except ApiError as error:
        return f"the API server: {error}"


async def _version(connection: Connection) -> str:
    version = await connection.request("GET", "/version")
    found = tuple(int(re.match(r"\d*", str(version.get(part, "")))[0] or 0) for part in ("major", "minor"))  # type: ignore[index]
    if found >= MINIMUM:
        return ""
    least = ".".join(map(str, MINIMUM))
    return f"Kubernetes {version.get('gitVersion')} is not supported: {least} or newer is needed"


async def _definition(connection: Connection) -> str:
    try:
        served = await connection.request("GET", f"/apis/{API_VERSION}")
    except ApiError as error:
        if not error.not_found:
            raise
        served = {}
    names = {resource["name"] for resource in served.get("resources") or ()}
    if {PLURAL, f"{PLURAL}/status"} <= names:
        return ""
    return "the CRD of Plans is not installed: kubectl apply -f crds/execloop.dev_plans.yaml"


async def missing_rights(connection: Connection, namespace: str) -> str:
    """What the operator may not do to the Plans of a namespace, empty for all; empty when it may. Raises ApiError."""
    return _message(await _missing(connection, _of_plans(namespace)))


async def _rights(connection: Connection, namespaces: Sequence[str], election: Election | None) -> str:
    """A namespace without rights keeps the operator from no other: its watch waits for them."""
    missing = [await _missing(connection, _of_plans(namespace)) for namespace in namespaces or [""]]
    plans = [right for rights in missing for right in rights] if all(missing) else []
    return _message([*plans, *(await _missing(connection, _of_lease(election)) if election else ())])


def _message(missing: Sequence[_Right]) -> str:
    return f"rights are missing: {'; '.join(map(str, missing))}" if missing else ""


async def _missing(connection: Connection, needed: Iterable[_Right]) -> list[_Right]:
    needed = list(needed)
    allowed = await asyncio.gather(*(_allowed(connection, right) for right in needed))
    return [right for right, given in zip(needed, allowed, strict=True) if not given]


def _of_plans(namespace: str) -> Iterator[_Right]:
    for verb in ("list", "watch"):
        yield _Right(verb, GROUP, PLURAL, namespace=namespace)
    yield _Right("update", GROUP, PLURAL, "status", namespace)


def _of_lease(election: Election) -> Iterator[_Right]:
    group, resource = "coordination.k8s.io", "leases"
    if election.shards > 1:
        for verb in ("list", "get", "create", "update", "delete"):
            yield _Right(verb, group, resource, namespace=election.namespace)
        return
    for verb in ("get", "update"):
        yield _Right(verb, group, resource, namespace=election.namespace, name=election.name)
    yield _Right("create", group, resource, namespace=election.namespace)


async def _allowed(connection: Connection, right: _Right) -> bool:
    attributes = {key: value for key, value in right._asdict().items() if value}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await connection.request("POST", _REVIEWS, body=body)
    return bool(answer["status"]["allowed"])
