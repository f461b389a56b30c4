"""Bound a status to 64 KiB, far below what etcd takes: shorten texts, then leave out the oldest history.

The commit calls `bounded` before each write.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from execloop.controller.api.model import Model
from execloop.controller.status.explain import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop.controller.api.v1alpha1 import ExecutionStatus, HistoryEntry, Pending, PlanStatus, PreviewAnswer

__all__ = ["MOST_BYTES", "bounded"]

MOST_BYTES: Final = 64 * 1024

_MESSAGE, _NOTE, _NAME = 1024, 256, 253
_SCALARS = frozenset({int, float, bool, datetime})
_LONGER_IN_GO = re.compile("[<>&\u2028\u2029]")
"""The API server stores six bytes for each."""


def bounded(status: PlanStatus) -> PlanStatus:
    """Return the status; of a large one with its texts cut, the details of pending tasks left out, and as much of its
    history, newest first, and as many names of pending tasks as there is room for.
    """
    if _most(status) <= MOST_BYTES or _size(status.to_json()) <= MOST_BYTES:
        return status
    status = _with_short_texts(status)
    entries, pending = status.history, status.pending
    room = MOST_BYTES - _size(status.model_copy(update={"history": (), "pending": None}).to_json())
    if pending is not None:
        room -= _size(pending.model_copy(update={"tasks": ()}).to_json()) + _size("pending")
        names = pending.tasks[: _that_fit(map(_size, pending.tasks), room)]
        room -= sum(_size(name) + 1 for name in names)
        pending = pending.model_copy(update={"tasks": names})
    room -= _size("history")
    kept = entries[: _that_fit((_size(entry.to_json()) for entry in entries), room)]
    return status.model_copy(update={"history": kept, "pending": pending})


def _with_short_texts(status: PlanStatus) -> PlanStatus:
    update = {
        "conditions": tuple(
            condition.model_copy(update={"message": cut(condition.message, _MESSAGE)})
            for condition in status.conditions
        ),
        "execution": status.execution and _short_execution(status.execution),
        "pending": status.pending and _short_pending(status.pending),
        "preview": status.preview and _short_preview(status.preview),
        "history": tuple(map(_short_entry, status.history)),
    }
    words = ("state", "errors", "progress", "last_handled_reconcile_at")
    return status.model_copy(update=update | {word: _short(getattr(status, word), _NOTE) for word in words})


def _short_preview(preview: PreviewAnswer) -> PreviewAnswer:
    """Return the counts of an answer, and no task of it: who asked may ask again when the status is smaller."""
    return preview.model_copy(
        update={"request": _short(preview.request, _NOTE), "tasks": (), "waits": (), "error": None}
    )


def _short_execution(execution: ExecutionStatus) -> ExecutionStatus:
    approval = execution.approval
    if approval is not None:
        approval = approval.model_copy(update={"by": _short(approval.by, _NOTE)})
    notes = ("message", "requested_by", "request_reason")
    short = {name: _short(getattr(execution, name), _NOTE) for name in notes}
    return execution.model_copy(
        update={"last_error": _short(execution.last_error, _MESSAGE), "approval": approval, **short}
    )


def _short_pending(pending: Pending) -> Pending:
    return pending.model_copy(update={"tasks": tuple(cut(name, _NAME) for name in pending.tasks), "details": None})


def _short_entry(entry: HistoryEntry) -> HistoryEntry:
    names = ("approved_by", "requested_by", "request_reason")
    short = {name: _short(getattr(entry, name), _NOTE) for name in names}
    return entry.model_copy(update={"message": cut(entry.message, _NOTE), **short})


def _short(text: str | None, most: int) -> str | None:
    return None if text is None else cut(text, most)


def _that_fit(sizes: Iterable[int], room: int) -> int:
    kept = 0
    for size in sizes:
        room -= size + 1
        if room < 0:
            break
        kept += 1
    return kept


def _most(status: PlanStatus) -> int:
    """Return bytes that a status never exceeds, without writing it out; more than fits where it has an open mapping.

    A character takes six bytes at most. A field takes 64 besides: its name, and a number or a time.
    """
    most, parts = 0, [cast("object", status)]
    while parts:
        part = parts.pop()
        if isinstance(part, str):
            most += 6 * len(part)
        elif isinstance(part, tuple):
            most += len(part)
            parts += part
        elif isinstance(part, dict):
            return MOST_BYTES + 1
        elif isinstance(part, Model):
            fields = [value for value in part.__dict__.values() if value is not None]
            most += 64 * len(fields)
            parts += [value for value in fields if type(value) not in _SCALARS]
    return most


def _size(document: object) -> int:
    """Bytes, as the API server stores it."""
    text = json.dumps(document, ensure_ascii=False)
    return len(text.encode("utf-8", "replace")) + 5 * len(_LONGER_IN_GO.findall(text))
