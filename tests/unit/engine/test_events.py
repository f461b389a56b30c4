import dataclasses
import logging
from typing import Any

import pytest

from execloop import Execution, Report, Task, task
from execloop._engine.errors import ExecloopError, ExecutionTimeout, FatalError, ToleranceExceeded, find_fatal, summary
from execloop._engine.events import (
    ConvergedEvent,
    ErrorRecord,
    Event,
    GaveUp,
    Ledger,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskPath,
    TaskStarted,
    notifier,
)
from execloop.testing import FakeClock, ScriptedPlan


def path(*names: str) -> TaskPath:
    found: TaskPath | None = None
    for position, name in enumerate(names):
        found = TaskPath(found, position, task(name, print))
    assert found is not None
    return found


EVENTS = [
    RunStarted(Execution(), ("a",), 5),
    TaskStarted(path("a")),
    TaskFinished(path("a"), 0),
    TaskFailed(path("a"), "pre", OSError(), 4),
    RunFinished(Execution(), 1.0),
    ConvergedEvent(Execution()),
    GaveUp(Execution(), OSError()),
    ErrorRecord(path("a"), "pre", OSError()),
    Report(1, 1, 0, (), 0.0),
    Execution(),
    path("a"),
]


@pytest.mark.parametrize("record", EVENTS, ids=lambda record: type(record).__name__)
def test_every_record_is_frozen(record: Any) -> None:
    first = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, first, None)


# -- paths


def test_a_path_reads_as_names_with_positions() -> None:
    one = path("a", "b", "c")
    assert (str(one), one.name, one.positions) == ("a[0]/b[1]/c[2]", "c", (0, 1, 2))
    assert repr(one) == "<TaskPath a[0]/b[1]/c[2]>"
    assert [step.name for step in one.lineage] == ["a", "b", "c"]


def test_the_middle_of_a_long_path_is_left_out() -> None:
    deep = str(path(*map(str, range(100))))
    assert deep.startswith("0[0]/1[1]/")
    assert "/7[7]/(84 more)/92[92]/" in deep
    assert deep.endswith("/99[99]")


def test_a_name_that_raises_does_not_hide_the_task() -> None:
    class Nameless(Task):
        @property
        def name(self) -> str:  # type: ignore[override]  # a property will do for an attribute that is only read
            raise ConnectionError

        def perform(self) -> None: ...

    assert str(TaskPath(None, 3, Nameless())) == "<Nameless>[3]"


# -- listeners


def test_without_listeners_there_is_nobody_to_tell() -> None:
    assert notifier(()) is None


def test_every_listener_is_told(caplog: pytest.LogCaptureFixture) -> None:
    first, second = list[Event](), list[Event]()
    notify = notifier([first.append, second.append])
    assert notify is not None
    notify(event := TaskStarted(path("a")))
    assert first == second == [event]
    assert not caplog.records


def test_a_listener_that_raises_harms_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise LookupError("of my own")

    seen: list[Event] = []
    from execloop import Executor

    report = Executor(listeners=[broken, seen.append], clock=FakeClock()).run(ScriptedPlan(["a"]))
    assert (report.runs, report.error_count, len(seen)) == (2, 0, 5)
    first = caplog.records[0]
    assert (first.name, first.levelno) == ("execloop", logging.ERROR)
    assert "broken" in first.getMessage()
    assert "RunStarted" in first.getMessage()


def test_the_library_logs_nowhere_unless_it_is_asked_to() -> None:
    handlers = logging.getLogger("execloop").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)


# -- the report


def test_a_ledger_adds_up_and_keeps_the_last_thousand_errors() -> None:
    ledger = Ledger()
    ledger.errors.extend(ErrorRecord(path("a"), "pre", OSError(number)) for number in range(1_200))
    ledger.error_count = 1_200
    report = ledger.report(2.5)
    assert (report.error_count, len(report.errors), report.duration) == (1_200, 1_000, 2.5)
    assert str(report.errors[0].exception) == "200"


# -- errors


def test_the_tree_of_errors() -> None:
    assert issubclass(ToleranceExceeded, FatalError)
    assert issubclass(FatalError, ExecloopError)
    assert issubclass(ExecutionTimeout, ExecloopError)
    assert issubclass(ExecutionTimeout, TimeoutError)
    assert ExecloopError().report is None


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


FATAL = FatalError("no")


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (OSError(), None),
        (FATAL, FATAL),
        (caused(OSError(), FATAL), FATAL),
        (caused(OSError(), caused(ValueError(), FATAL)), FATAL),
        (ExceptionGroup("g", [OSError(), ExceptionGroup("h", [ValueError(), FATAL])]), FATAL),
        (caused(OSError(), ExceptionGroup("g", [caused(ValueError(), FATAL)])), FATAL),
        (ExceptionGroup("g", [FATAL, FatalError("another")]), FATAL),
        (BaseExceptionGroup("g", [KeyboardInterrupt(), FATAL]), FATAL),
    ],
    ids=["none", "itself", "cause", "cause of the cause", "group", "cause in a group", "first", "base group"],
)
def test_a_fatal_error_is_found_along_causes_and_inside_groups(error: BaseException, found: FatalError | None) -> None:
    assert find_fatal(error) is found


def test_causes_that_go_in_a_circle_are_looked_at_once() -> None:
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first
    assert find_fatal(first) is None


@pytest.mark.parametrize(
    ("error", "text"), [(OSError("down"), "OSError: down"), (OSError(), "OSError"), (KeyError("k"), "KeyError: 'k'")]
)
def test_an_error_is_summed_up_in_its_type_and_message(error: Exception, text: str) -> None:
    assert summary(error) == text


# -- the state of an execution


def test_an_execution_is_a_plain_dict_and_back() -> None:
    execution = Execution(started_at=1.5).after_run(2, "a[0] pre: OSError: down").after_run(0)
    assert Execution.from_dict(execution.to_dict()) == execution
    assert (execution.runs, execution.errors, execution.failed_runs) == (2, 2, 0)


def test_every_execution_has_an_id_of_its_own() -> None:
    assert Execution().id != Execution().id


def test_a_deadline_counts_from_the_start_and_leaves_pauses_out() -> None:
    assert Execution(started_at=100, paused=20).deadline(10) == 130
    with pytest.raises(ValueError, match="an execution that has not started has no deadline"):
        Execution().deadline(10)
