"""How large a status may become: 64 KiB, far below what etcd takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop.controller.api.v1alpha1 import PlanStatus

__all__ = ["MOST_BYTES", "bounded"]

MOST_BYTES = 64 * 1024
_SURELY_SMALL = 20
"""So many executions in the history never make a status large, whatever else is in it."""


def bounded(status: PlanStatus) -> PlanStatus:
    """With as much of the history, newest first, as there is room for."""
    if len(status.history) <= _SURELY_SMALL:
        return status
    room = MOST_BYTES - _size(status.model_copy(update={"history": ()}).to_json())
    kept = _that_fit((_size(entry.to_json()) for entry in status.history), room)
    return status.model_copy(update={"history": status.history[:kept]})


def _that_fit(sizes: Iterable[int], room: int) -> int:
    kept = 0
    for size in sizes:
        room -= size + 1
        if room < 0:
            break
        kept += 1
    return kept


def _size(document: object) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode())
