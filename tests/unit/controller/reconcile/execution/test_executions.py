"""The execution in a Plan's status: how it begins, pauses, ends, and what the engine sees of it."""

from datetime import UTC, datetime

import pytest

from execloop._engine.execution import Execution
from execloop.controller.api.v1alpha1 import ExecutionStatus, HistoryEntry, PlanStatus
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
        execution = executions.ended(begun(), "Converged", NOW + 5)
        assert (execution.result, execution.finished_at) == ("Converged", at(NOW + 5))

    def test_a_pause_ends_with_it(self) -> None:
        paused = executions.paused(begun(), NOW)
        assert executions.ended(paused, "Superseded", NOW + 5).paused_since is None


class TestHistory:
    def recorded(self, status: PlanStatus, execution: ExecutionStatus, limit: int = 5, message: str = "") -> PlanStatus:
        return executions.recorded(status, execution, 3, limit, message)

    def test_an_entry_tells_what_became_of_an_execution(self) -> None:
        execution = executions.ended(begun(id="e", runs=4, errors=2), "Converged", NOW + 5)
        (entry,) = self.recorded(PlanStatus(), execution, message="no tasks remain").history
        assert entry == HistoryEntry(
            id="e",
            generation=3,
            started_at=at(NOW),
            finished_at=at(NOW + 5),
            runs=4,
            errors=2,
            result="Converged",
            message="no tasks remain",
        )

    @pytest.mark.parametrize(("limit", "kept"), [(5, "cba"), (2, "cb"), (1, "c"), (0, "")])
    def test_the_newest_come_first_and_no_more_are_kept_than_the_spec_says(self, limit: int, kept: str) -> None:
        status = PlanStatus()
        for name in "abc":
            status = self.recorded(status, executions.ended(begun(id=name), "Converged", NOW), limit)
        assert "".join(entry.id for entry in status.history) == kept

    def test_a_stalled_execution_that_heals_is_one_entry(self) -> None:
        status = self.recorded(PlanStatus(), executions.ended(begun(id="e"), "FatalError", NOW))
        status = self.recorded(status, executions.ended(begun(id="e"), "Converged", NOW + 5))
        assert [(entry.id, entry.result) for entry in status.history] == [("e", "Converged")]

    def test_a_long_message_is_cut(self) -> None:
        (entry,) = self.recorded(PlanStatus(), executions.ended(begun(), "FatalError", NOW), message="x" * 999).history
        assert len(entry.message.encode()) == 256
