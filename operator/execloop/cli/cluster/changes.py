"""Plans as they change, for the verbs that wait and watch."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from execloop.cli.cluster.session import Plan, key

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from execloop.cli.cluster.session import Session

__all__ = ["Change", "changes"]

Change: TypeAlias = "tuple[Literal['ADDED', 'MODIFIED', 'DELETED', 'LISTED'], Plan]"

_PAUSE = 1.0
_LASTING = frozenset({400, 401, 403, 404})


async def changes(session: Session, name: str = "", namespace: str | None = None) -> AsyncGenerator[Change, None]:
    """Yield the Plans there are, `LISTED` with an empty Plan after the last of them, and then each change.

    It connects again when the server ends the watch, and then yields what has changed meanwhile. Raises ApiError for
    what another attempt does not change.
    """
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    known: dict[tuple[str, str], Plan] = {}
    path, query = session.path(namespace=namespace), {"fieldSelector": f"metadata.name={name}"} if name else {}
    while True:
        try:
            page = await session.kube.request("GET", path, query=query)
            for change in _differences(known, page.get("items") or ()):
                yield change
            yield "LISTED", {}
            more = {**query, "watch": "true", "resourceVersion": page["metadata"]["resourceVersion"]}
            async with aclosing(session.kube.stream(path, more)) as stream:
                async for event in stream:
                    if event["type"] not in {"ADDED", "MODIFIED", "DELETED"}:
                        break  # the server forgot that version
                    _remember(known, event)
                    yield event["type"], event["object"]
        except ApiError as error:
            if error.status in _LASTING:
                raise
        await asyncio.sleep(_PAUSE)


def _remember(known: dict[tuple[str, str], Plan], event: dict[str, Any]) -> None:
    if event["type"] == "DELETED":
        known.pop(key(event["object"]), None)
    else:
        known[key(event["object"])] = event["object"]


def _differences(known: dict[tuple[str, str], Plan], listed: Any) -> list[Change]:
    """Return what has changed since the last list, and know it from now on."""
    now = {key(plan): plan for plan in listed}
    found: list[Change] = [("DELETED", plan) for place, plan in known.items() if place not in now]
    for place, plan in now.items():
        before = known.get(place)
        if before is None:
            found.append(("ADDED", plan))
        elif before["metadata"]["resourceVersion"] != plan["metadata"]["resourceVersion"]:
            found.append(("MODIFIED", plan))
    known.clear()
    known.update(now)
    return found
