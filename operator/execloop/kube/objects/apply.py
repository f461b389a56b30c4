"""Server-side apply: take back by force what drifted, leave to another Plan what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.kube.errors import ApiError
from execloop.kube.http.connection import APPLY
from execloop.kube.http.paths import describe
from execloop.kube.objects.comparison import Comparison, Drifted, Missing, Same, differences
from execloop.kube.objects.ownership import PLAN_UID_LABEL

if TYPE_CHECKING:
    from execloop.kube.http.connection import Connection
    from execloop.kube.objects.ownership import Owner

__all__ = ["apply", "compare"]

_BAD_REQUEST, _INVALID = 400, 422
_CONFLICT = 409
_NO_DRY_RUN = "an admission webhook does not support dry runs, so what applying would change is unknown"
_READS = 5


async def apply(
    connection: Connection, path: str, wanted: dict[str, Any], owner: Owner, *, dry_run: bool = False
) -> dict[str, Any]:
    """One request, three when another manager has set one of the fields.

    Without force first: the server then says when another manager has a field. If that is another Plan the object stays
    its own, else the field has drifted.
    """
    try:
        return await _patch(connection, path, wanted, owner, force=False, dry_run=dry_run)
    except ApiError as error:
        if not error.conflict:
            raise
    live = await _live(connection, path)
    if live is not None:
        _refuse_rival(live, path, owner)
    return await _patch(connection, path, wanted, owner, force=True, dry_run=dry_run)


async def compare(connection: Connection, path: str, wanted: dict[str, Any], owner: Owner) -> Comparison:
    """One request for what is missing, else two: what applying would make of the object, and the live one.

    Only the server knows its defaults, conversions and admission; it has no false alarm. If a controller
    writes a status between the two, they are read again, so that only what the wish changes counts as drift.
    """
    for reads_left in reversed(range(_READS)):
        try:
            applied = await _tried(connection, path, wanted, owner)
        except ApiError as error:
            if error.status == _INVALID and await _live(connection, path) is None:
                return Missing(refusal=error)
            raise
        if applied is not None and "resourceVersion" not in applied["metadata"]:
            return Missing(applied)  # a dry run stores nothing, so what it would create has no version
        live = await _live(connection, path)
        if live is None and (applied is None or not reads_left):
            return Missing()
        if live is None:
            continue  # it went between the two requests
        _refuse_rival(live, path, owner)
        if applied is None:
            raise ApiError(_BAD_REQUEST, "NoDryRun", _NO_DRY_RUN, request=describe("PATCH", path))
        paths = differences(live, applied)
        if not paths:
            return Same(live)
        if not reads_left or live["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]:
            return Drifted(paths, live, applied)
    raise AssertionError("the last read returns")


async def _tried(connection: Connection, path: str, wanted: dict[str, Any], owner: Owner) -> dict[str, Any] | None:
    """Return what applying would make of an object, None when the server cannot try it."""
    try:
        return await _patch(connection, path, wanted, owner, force=True, dry_run=True)
    except ApiError as error:
        if error.not_found:
            return None  # its namespace or its kind is missing
        if error.status == _BAD_REQUEST and "does not support dry run" in error.message:
            return None
        raise


async def _live(connection: Connection, path: str) -> dict[str, Any] | None:
    try:
        return await connection.request("GET", path)
    except ApiError as error:
        if not error.not_found:
            raise
        return None


async def _patch(
    connection: Connection, path: str, wanted: dict[str, Any], owner: Owner, *, force: bool, dry_run: bool
) -> dict[str, Any]:
    query = {"fieldManager": owner.manager, "force": "true" if force else "false"}
    if dry_run:
        query["dryRun"] = "All"
    return await connection.request("PATCH", path, query=query, body=wanted, content_type=APPLY)


def _refuse_rival(live: dict[str, Any], path: str, owner: Owner) -> None:
    rival = owner.rival(live)
    if rival is not None:
        raise ApiError(
            _CONFLICT,
            "OwnedByAnotherPlan",
            f"it belongs to Plan {rival}, and {owner.claimant} claims it too; take it out of one of them, or"
            f" hand it over by removing its label {PLAN_UID_LABEL}",
            request=describe("PATCH", path),
        )
