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

_CONFLICT = 409
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
    """One request for what is missing, else two: the live object, and what applying would make of it.

    Only the server knows its defaults, conversions and admission; it has no false alarm. If a controller
    writes a status between the two, they are read again, so that only what the wish changes counts as drift.
    """
    for reads_left in reversed(range(_READS)):
        live = await _live(connection, path)
        if live is None:
            return Missing()
        _refuse_rival(live, path, owner)
        try:
            applied = await _patch(connection, path, wanted, owner, force=True, dry_run=True)
        except ApiError as error:
            if not error.not_found:
                raise
            return Missing()  # its namespace or its kind went between the two requests
        paths = differences(live, applied)
        if not paths:
            return Same(live)
        if not reads_left or live["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]:
            return Drifted(paths, live)
    raise AssertionError("the last read returns")


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
