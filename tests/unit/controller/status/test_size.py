"""How large a status may become."""

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execloop.controller.api.v1alpha1 import (
    Approval,
    Condition,
    ExecutionStatus,
    HistoryEntry,
    Pending,
    PlanStatus,
    PreviewTask,
    SameWork,
)
from execloop.controller.reconcile.approval import MOST_NAMES
from execloop.controller.status.size import MOST_BYTES, bounded
from execloop.controller.watch.snapshot import Snapshot

T = TypeVar("T")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def status(entries: int, message: str) -> PlanStatus:
    history = tuple(
        HistoryEntry(id=f"e{number}", generation=1, started_at=NOW, finished_at=NOW, result="x", message=message)
        for number in range(entries)
    )
    return PlanStatus(history=history, progress="1/2")


def size(found: PlanStatus) -> int:
    """As Go writes it."""
    text = json.dumps(found.to_json(), separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return len(text.encode())


@pytest.mark.parametrize("message", ["x" * 256, "€" * 85, '"' * 256, "<" * 256, "\x00" * 256])
@pytest.mark.parametrize("entries", [0, 5, 20, 21, 100])
def test_it_is_never_more_than_64_kibibytes(entries: int, message: str) -> None:
    found = bounded(status(entries, message))
    assert size(found) <= MOST_BYTES
    assert found.progress == "1/2"


# A few characters many times: what is long decides, not what is odd.
_message = st.builds(
    lambda text, times: text * times,
    st.text(max_size=3) | st.sampled_from(["\x00", "<", "€"]),
    st.sampled_from([1, 64, 2000, 9000]),
)
_maybe = st.none() | _message


def _condition(kind: str, message: str) -> Condition:
    return Condition(type=kind, status="True", reason="Converged", message=message, last_transition_time=NOW)


_conditions = st.lists(_message, max_size=4).map(
    lambda messages: tuple(
        _condition(kind, message[:32768])
        for kind, message in zip(("Ready", "Reconciling", "Stalled", "Suspended"), messages, strict=False)
    )
)


def _made(model: type[T], fixed: dict[str, Any], **varied: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    return st.fixed_dictionaries(varied).map(lambda fields: model(**fixed, **fields))


_approval = _made(
    Approval,
    {"digest": "0" * 32},
    by=_maybe,
    tasks=st.none() | st.just("0").map(lambda digit: digit * 8 * MOST_NAMES),
)
_execution = _made(
    ExecutionStatus,
    {"id": "0" * 12, "inputs": "0" * 16, "started_at": NOW, "result": "ExecutionTimeout"},
    last_error=_maybe,
    message=_maybe,
    approval=st.none() | _approval,
    same_work=st.none() | st.just(SameWork(runs=1, since=NOW, tasks="0" * 16)),
)
_entry = _made(
    HistoryEntry,
    {"id": "0" * 12, "generation": 1, "started_at": NOW, "finished_at": NOW, "result": "Converged"},
    message=_message,
    approved_by=_maybe,
)
_statuses = _made(
    PlanStatus,
    {"observed_generation": 2**62},
    conditions=_conditions,
    execution=st.none() | _execution,
    progress=_maybe,
    pending=st.none()
    | _made(
        Pending,
        {"digest": "0" * 32, "count": 20},
        tasks=st.lists(_message, max_size=20).map(tuple),
        details=st.lists(_made(PreviewTask, {"name": "copy"}, detail=_maybe), max_size=20).map(tuple),
    ),
    last_handled_reconcile_at=_maybe,
    history=st.builds(
        lambda entries, times: (*entries,) * times, st.lists(_entry, max_size=5), st.sampled_from([1, 8])
    ),
)


@settings(max_examples=30)
@given(_statuses)
def test_whatever_is_in_it_a_status_is_never_more_than_64_kibibytes(found: PlanStatus) -> None:
    shown = bounded(found)
    assert size(shown) <= MOST_BYTES
    assert bounded(shown) == shown
    assert PlanStatus.model_validate(json.loads(json.dumps(shown.to_json()))) == shown


@settings(max_examples=30)
@given(_statuses)
def test_of_a_large_status_what_is_to_go_on_is_kept(found: PlanStatus) -> None:
    shown = bounded(found)
    kept: dict[str, Any] = {"last_error": None, "message": None, "approval": None}
    assert (shown.execution and shown.execution.model_copy(update=kept)) == (
        found.execution and found.execution.model_copy(update=kept)
    )
    before, after = (status.execution and status.execution.approval for status in (found, shown))
    assert (before and (before.digest, before.tasks)) == (after and (after.digest, after.tasks))
    assert [condition.reason for condition in shown.conditions] == [condition.reason for condition in found.conditions]


def test_the_oldest_executions_give_way() -> None:
    large = status(1000, "x" * 256)
    kept = bounded(large).history
    assert 100 < len(kept) < 1000
    assert kept == large.history[: len(kept)]


def test_what_fits_is_left_as_it_is() -> None:
    small = status(100, "")
    assert bounded(small) == small


def annotated(**annotations: str) -> Snapshot:
    prefixed = {f"execloop.dev/{name}": value for name, value in annotations.items()}
    return Snapshot.of({"metadata": {"name": "a", "uid": "u", "annotations": prefixed}})


def test_an_annotation_that_a_status_repeats_is_short_there() -> None:
    assert annotated(requestedAt="2026-01-02T12:00:00Z").requested_at == "2026-01-02T12:00:00Z"
    long, other = (annotated(requestedAt="x" * 200_000 + end).requested_at for end in "ab")
    assert long is not None
    assert long != other
    assert len(long) == len("sha256:") + 64


def test_the_name_of_who_approved_is_cut() -> None:
    assert annotated(**{"approved-by": "admin"}).approved_by == "admin"
    assert annotated(**{"approved-by": "x" * 200_000}).approved_by == "x" * 255 + "…"
