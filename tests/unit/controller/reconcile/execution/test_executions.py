"""The execution in a Plan's status: how it begins, pauses, ends, and what the engine sees of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from execloop._engine.execution import Execution
from execloop.controller.api.v1alpha1 import Approval, Condition, ExecutionStatus, HistoryEntry, PlanStatus
from execloop.controller.reconcile.execution import executions
from execloop.controller.watch.snapshot import Snapshot

NOW = 1_000_000.5
SNAPSHOT = Snapshot.of({"metadata": {"name": "a", "namespace": "team", "uid": "u", "generation": 3}})


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def begun(**fields: object) -> ExecutionStatus:
    execution = executions.begun(SNAPSHOT, "inputs", NOW, 5, "").execution
    assert execution is not None
    return execution.model_copy(update=fields)


class TestBegin:
    def test_it_has_done_nothing_yet(self) -> None:
        execution = begun()
        assert (execution.inputs, execution.started_at) == ("inputs", at(NOW))
        assert (execution.runs, execution.errors, execution.failed_runs, execution.paused) == (0, 0, 0, 0)
        assert (execution.finished_at, execution.result, execution.last_error) == (None, None, None)

    def test_each_has_an_identity_of_its_own(self) -> None:
        assert len({begun().id for _ in range(100)}) == 100


class TestEngine:
    def test_it_sees_all_that_it_counts(self) -> None:
        execution = begun(id="e", runs=3, errors=2, failed_runs=1, paused=60.0, last_error="down")
        assert executions.engine_state(execution) == Execution("e", NOW, 3, 2, 1, 60.0, "down")

    def test_its_deadline_survives_the_way_through_the_status(self) -> None:
        read = ExecutionStatus.model_validate(begun(paused=60.0).to_json())
        assert executions.engine_state(read).deadline(100) == NOW + 160

    def test_what_it_counted_is_taken_back(self) -> None:
        execution = executions.taken_back(begun(id="e"), Execution("e", NOW, 3, 2, 1))
        assert (execution.runs, execution.errors, execution.failed_runs) == (3, 2, 1)
        assert (execution.started_at, execution.inputs) == (at(NOW), "inputs")


class TestPause:
    def test_it_begins_once(self) -> None:
        paused = executions.paused(begun(), NOW + 10)
        assert paused.paused_since == at(NOW + 10)
        assert executions.paused(paused, NOW + 20) == paused

    def test_its_seconds_are_added_up(self) -> None:
        execution = begun()
        for since, until in ((10, 15), (20, 27)):
            execution = executions.resumed(executions.paused(execution, NOW + since), NOW + until)
        assert (execution.paused, execution.paused_since) == (12, None)

    def test_one_that_is_not_paused_goes_on_as_it_is(self) -> None:
        assert executions.resumed(begun(id="e"), NOW + 10) == begun(id="e")

    def test_a_clock_that_was_put_back_gives_no_time_away(self) -> None:
        assert executions.resumed(executions.paused(begun(), NOW), NOW - 100).paused == 0


class TestEnd:
    def test_it_says_how_and_when(self) -> None:
        execution = executions.ended(begun(), "Converged", NOW + 5, 3, "no tasks remain")
        assert (execution.result, execution.finished_at) == ("Converged", at(NOW + 5))
        assert (execution.generation, execution.message) == (3, "no tasks remain")

    def test_an_empty_message_is_left_out(self) -> None:
        assert "message" not in executions.ended(begun(), "Converged", NOW, 3).to_json()

    def test_a_long_message_is_cut(self) -> None:
        message = executions.ended(begun(), "FatalError", NOW, 3, "€" * 999).message
        assert message is not None
        assert 253 < len(message.encode()) <= 256

    def test_a_pause_ends_with_it(self) -> None:
        paused = executions.paused(begun(), NOW)
        assert executions.ended(paused, "Superseded", NOW + 5, 3).paused_since is None


class TestHistory:
    """What becomes of an execution when the next one begins."""

    def after(self, last: ExecutionStatus, limit: int = 5, **status: Any) -> PlanStatus:
        before = PlanStatus(execution=last).model_copy(update=status)
        return executions.begun(SNAPSHOT.ahead(before), "others", NOW + 9, limit, "its inputs changed")

    def test_its_entry_is_what_it_said_itself(self) -> None:
        approval = Approval(digest="d", by="ann")
        asked = {"request": "retry copy", "requested_by": "ben", "request_reason": "by hand"}
        last = begun(id="e", runs=4, errors=2, approval=approval, **asked)
        status = self.after(executions.ended(last, "Converged", NOW + 5, 2, "no tasks remain"))
        assert status.history == (
            HistoryEntry(
                id="e",
                generation=2,
                started_at=at(NOW),
                finished_at=at(NOW + 5),
                runs=4,
                errors=2,
                result="Converged",
                message="no tasks remain",
                approved_by="ann",
                request="retry copy",
                requested_by="ben",
                request_reason="by hand",
            ),
        )

    def test_one_under_way_is_superseded(self) -> None:
        ready = Condition(type="Ready", status="False", reason="x", last_transition_time=at(NOW), observed_generation=2)
        (entry,) = self.after(begun(id="e"), conditions=(ready,)).history
        assert (entry.result, entry.finished_at) == ("Superseded", at(NOW + 9))
        assert (entry.generation, entry.message) == (2, "its inputs changed")

    def test_a_preview_ran_nothing_and_leaves_none(self) -> None:
        assert self.after(executions.ended(begun(), "Previewed", NOW, 3)).history == ()

    @pytest.mark.parametrize(("limit", "kept"), [(5, "cba"), (2, "cb"), (1, "c"), (0, "")])
    def test_the_newest_come_first_and_no_more_are_kept_than_the_spec_says(self, limit: int, kept: str) -> None:
        history: tuple[HistoryEntry, ...] = ()
        for name in "abc":
            last = executions.ended(begun(id=name), "Converged", NOW, 3)
            history = self.after(last, limit, history=history).history
        assert "".join(entry.id for entry in history) == kept

    def test_an_entry_that_an_earlier_version_wrote_stands_once(self) -> None:
        last = begun(id="e", finished_at=at(NOW + 5), result="Converged")
        entries = [
            HistoryEntry(
                id=name, generation=2, started_at=at(NOW), finished_at=at(NOW + 5), result="Converged", message=name
            )
            for name in "ed"
        ]
        assert self.after(last, history=tuple(entries)).history == tuple(entries)

    @pytest.mark.parametrize(("observed", "generation"), [(2, 2), (-1, 0)])
    def test_one_that_an_earlier_version_ended_without_an_entry_has_the_generation_that_was_observed(
        self, observed: int, generation: int
    ) -> None:
        last = begun(id="e", finished_at=at(NOW + 5), result="Converged")
        (entry,) = self.after(last, observed_generation=observed).history
        assert (entry.id, entry.generation, entry.message) == ("e", generation, "")
