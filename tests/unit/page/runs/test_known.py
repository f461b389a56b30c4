"""What a process says of the runs of a Plan that it knows, and of one that it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from execloop import Execution
from execloop._engine.execution import Converged
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.page.runs.known import KnownRuns
from execloop.page.runs.recent import Recent
from execloop.testing import FakeClock


def a_plan(**execution: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "keys", "uid": "u1"}, "status": {"execution": execution}}


def known(elsewhere: str | None, *, ran: bool = False, **execution: Any) -> tuple[int, str, str]:
    recent = Recent(FakeClock().monotonic, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    if ran:
        recent.ended("u1", "e1", Redactor(), Converged(Execution()))
    found = KnownRuns(recent, lambda *_: elsewhere, 8090).of(a_plan(**execution))
    return len(found.executions), found.why, found.next


@pytest.mark.parametrize(
    ("elsewhere", "ran", "execution", "executions", "why", "cure"),
    [
        (None, True, {"id": "e1", "runs": 1}, 1, "", ""),
        (None, False, {}, 0, "No task has run yet.", ""),
        (None, False, {"id": "e1", "runs": 0}, 0, "No task has run yet.", ""),
        (None, False, {"id": "e1", "runs": 3}, 0, "before this process began", "the next execution is shown here"),
        ("", True, {"id": "e1", "runs": 3}, 0, "This replica does not reconcile", "its Lease names it"),
        ("web-1_f3a", True, {"id": "e1"}, 0, "The replica `web-1` does", "kubectl port-forward pod/web-1 8090"),
    ],
)
def test_the_tasks_or_why_they_are_not_shown(
    elsewhere: str | None, ran: bool, execution: dict[str, Any], executions: int, why: str, cure: str
) -> None:
    found = known(elsewhere, ran=ran, **execution)
    assert found[0] == executions
    assert why in found[1]
    assert cure in found[2]


def test_a_process_that_reconciles_nothing_says_so() -> None:
    assert "does not reconcile" in KnownRuns.none().of(a_plan()).why
