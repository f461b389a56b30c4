"""How large a status may become."""

import json
from datetime import UTC, datetime

import pytest

from execloop.controller.api.v1alpha1 import HistoryEntry, PlanStatus
from execloop.controller.status.size import MOST_BYTES, bounded

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def status(entries: int, message: str) -> PlanStatus:
    history = tuple(
        HistoryEntry(id=f"e{number}", generation=1, started_at=NOW, finished_at=NOW, result="x", message=message)
        for number in range(entries)
    )
    return PlanStatus(history=history, progress="1/2")


def size(found: PlanStatus) -> int:
    return len(json.dumps(found.to_json(), separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize("message", ["x" * 256, "€" * 85, '"' * 256])
@pytest.mark.parametrize("entries", [0, 5, 20, 21, 100])
def test_it_is_never_more_than_64_kibibytes(entries: int, message: str) -> None:
    found = bounded(status(entries, message))
    assert size(found) <= MOST_BYTES
    assert found.progress == "1/2"


def test_the_oldest_executions_give_way() -> None:
    large = status(1000, "x" * 256)
    kept = bounded(large).history
    assert 100 < len(kept) < 1000
    assert kept == large.history[: len(kept)]


def test_what_fits_is_left_as_it_is() -> None:
    small = status(100, "")
    assert bounded(small) == small
