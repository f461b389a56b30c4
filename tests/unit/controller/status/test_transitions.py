"""The lines of the operator's log about what becomes of Plans."""

import logging

import pytest

from execloop.controller.api.v1alpha1 import PlanStatus
from execloop.controller.status.state import StateName
from execloop.controller.status.transitions import line, shown

NEW = PlanStatus()
AT = "2026-01-01T00:00:00Z"


def status(state: StateName, kind: str, reason: str, message: str = "words") -> PlanStatus:
    condition = {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": AT}
    return PlanStatus.model_validate({"state": state, "conditions": [condition]})


READY = status("Converged", "Ready", "Converged")
STALLED = status("Stalled", "Stalled", "FatalError", "no such host")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (NEW, READY, "new -> Converged: Converged: words"),
        (READY, STALLED, "Converged -> Stalled: FatalError: no such host"),
        (STALLED, status("Stalled", "Stalled", "ErrorsExceeded"), "Stalled -> Stalled: ErrorsExceeded: words"),
        (READY, status("Suspended", "Suspended", "Suspended"), "Converged -> Suspended: Suspended: words"),
    ],
)
def test_a_transition_has_a_line(before: PlanStatus, after: PlanStatus, text: str) -> None:
    found = line(shown(before), after)
    assert found is not None
    assert found.text == text


def test_another_message_is_no_transition() -> None:
    assert line(shown(STALLED), status("Stalled", "Stalled", "FatalError", "another host")) is None


@pytest.mark.parametrize(("after", "level"), [(STALLED, logging.WARNING), (READY, logging.INFO)])
def test_a_stall_is_a_warning(after: PlanStatus, level: int) -> None:
    found = line(shown(NEW), after)
    assert found is not None
    assert found.level == level


def test_a_long_message_is_cut() -> None:
    found = line(shown(NEW), status("Stalled", "Stalled", "FatalError", "long " * 300))
    assert found is not None
    assert len(found.text.encode()) == 400
