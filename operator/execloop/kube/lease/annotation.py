"""An annotation of a Lease that any candidate may edit, with or without the Lease.

Only the Lease's own `get` and `update` are needed. Its `spec` stays as it is, so that no holder gains time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.kube.http.connection import Connection

__all__ = ["edit_annotation"]

_API_VERSION = "coordination.k8s.io/v1"
_CONFLICT = 409
_TRIES = 10
_TIMEOUT = 10.0


async def edit_annotation(
    connection: Connection, lease: tuple[str, str], annotation: str, edit: Callable[[str], str]
) -> str:
    """Return the annotation's new text; empty text takes it away, and nothing is written where nothing differs.

    `lease` is namespace and name; one that does not exist is made without a holder. Another write at the same
    moment is read first, and `edit` is called again. Raises ApiError.
    """
    namespace, name = lease
    path = f"/apis/{_API_VERSION}/namespaces/{namespace}/leases"
    for _ in range(_TRIES):
        found = await _read(connection, f"{path}/{name}")
        body = found or {"apiVersion": _API_VERSION, "kind": "Lease", "metadata": {"name": name}}
        annotations = dict(body["metadata"].get("annotations") or {})
        before = str(annotations.pop(annotation, ""))
        after = edit(before)
        if after == before:
            return after
        if after:
            annotations[annotation] = after
        body = {**body, "metadata": {**body["metadata"], "annotations": annotations}}
        try:
            if found is None:
                await connection.request("POST", path, body=body, timeout=_TIMEOUT)
            else:
                await connection.request("PUT", f"{path}/{name}", body=body, timeout=_TIMEOUT)
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise
        else:
            return after
    raise ApiError(_CONFLICT, "Conflict", f"others wrote the Lease {namespace}/{name} {_TRIES} times in a row")


async def _read(connection: Connection, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await connection.request("GET", path, timeout=_TIMEOUT)
    except ApiError as error:
        if error.not_found:
            return None
        raise
    return found
