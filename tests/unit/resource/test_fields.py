"""What the fields of a Plan say, whatever is missing in them."""

from typing import Any

import pytest

from execloop.resource.fields import ended_executions

UNDER_WAY: dict[str, Any] = {"id": "b", "inputs": "i", "runs": 1}
LAST = {**UNDER_WAY, "finishedAt": "2026-01-01T12:00:00Z", "result": "Converged", "message": "no tasks remain"}


def ended(execution: Any, *history: Any) -> list[tuple[Any, Any]]:
    plan = {"status": {"execution": execution, "history": list(history)}}
    return [(one["id"], one.get("message")) for one in ended_executions(plan)]


class TestEndedExecutions:
    def test_the_last_one_comes_first(self) -> None:
        assert ended(LAST, {"id": "a"}) == [("b", "no tasks remain"), ("a", None)]

    @pytest.mark.parametrize("execution", [UNDER_WAY, None, {**LAST, "result": "Previewed"}, "text"])
    def test_one_under_way_or_a_preview_is_none(self, execution: Any) -> None:
        assert ended(execution, {"id": "a"}) == [("a", None)]

    def test_one_that_an_earlier_version_wrote_to_the_history_too_is_there_once(self) -> None:
        assert ended(LAST, {"id": "b", "message": "as in the history"}) == [("b", "as in the history")]

    def test_it_has_the_fields_of_the_history(self) -> None:
        (one,) = ended_executions({"status": {"execution": {**LAST, "approval": {"digest": "d", "by": "ann"}}}})
        assert (one["approvedBy"], one["result"], one["runs"]) == ("ann", "Converged", 1)

    @pytest.mark.parametrize("plan", [{}, {"status": None}, {"status": {"history": ["text"]}}])
    def test_a_plan_that_has_none_has_none(self, plan: dict[str, Any]) -> None:
        assert ended_executions(plan) == []
