import logging
from typing import Any

import pytest

from execloop import task
from execloop._engine.events import (
    ConvergedEvent,
    Event,
    GaveUp,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskPath,
    TaskStarted,
    TaskWaiting,
)
from execloop._engine.execution import Execution
from execloop.listeners import LoggingListener, Recorder, in_words
from execloop.testing import ScriptedPlan, converge

_EXECUTION = Execution(runs=3, errors=2)
_PARENT = TaskPath(None, 0, task("parent", list))
_PATH = TaskPath(_PARENT, 1, task("child", list))
_DOWN = OSError("down")


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (RunStarted(_EXECUTION, ("a", "b"), 1), "INFO", "run 4: 2 tasks (a, b), 1 error left"),
        (RunStarted(_EXECUTION, ("a",), None), "INFO", "run 4: 1 task (a)"),
        (
            RunStarted(_EXECUTION, tuple("abcdefghijkl"), 5),
            "INFO",
            "run 4: 12 tasks (a, b, c, d, e, f, g, h, i, j and 2 more), 5 errors left",
        ),
        (TaskStarted(_PATH), "DEBUG", "parent/child started"),
        (TaskFinished(_PATH, 0), "DEBUG", "parent/child done"),
        (TaskFinished(_PARENT, 1), "DEBUG", "parent done, followed by 1 task"),
        (
            TaskFailed(_PATH, "post", _DOWN, 2),
            "WARNING",
            "parent/child failed in post: OSError: down (2 errors left)",
        ),
        (TaskWaiting(None, "the node", None), "INFO", "waiting: the node"),
        (TaskWaiting(_PATH, "the pods", 5.0), "INFO", "parent/child waiting: the pods"),
        (TaskFailed(_PATH, "pre", _DOWN, None), "WARNING", "parent/child failed in pre: OSError: down"),
        (TaskFailed(_PATH, "pre", _DOWN, -1), "WARNING", "parent/child failed in pre: OSError: down"),
        (RunFinished(_EXECUTION, 1.5), "DEBUG", "run 3 finished; asking again in 1.5 s"),
        (ConvergedEvent(_EXECUTION), "INFO", "converged after 3 runs, 2 errors"),
        (GaveUp(_EXECUTION, _DOWN), "ERROR", "gave up: OSError: down"),
    ],
)
def test_an_event_is_logged_in_words(event: Event, level: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "execloop")
    LoggingListener()(event)
    assert in_words(event) == words
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [(level, words)]


def test_a_logger_adapter_adds_what_it_carries(caplog: pytest.LogCaptureFixture) -> None:
    class Named(logging.LoggerAdapter[logging.Logger]):
        def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
            return f"db-init: {msg}", kwargs

    caplog.set_level(logging.INFO, "my.plans")
    converge(ScriptedPlan(["a"]), listeners=[LoggingListener(Named(logging.getLogger("my.plans"), {}))])
    assert caplog.messages == ["db-init: run 1: 1 task (a), 5 errors left", "db-init: converged after 2 runs, 0 errors"]


def test_nothing_is_put_in_words_that_nobody_logs(caplog: pytest.LogCaptureFixture) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise AssertionError("it was put in words")

    caplog.set_level(logging.CRITICAL, "execloop")
    LoggingListener()(GaveUp(_EXECUTION, Unspeakable()))
    assert not caplog.records


def test_a_place_from_the_depths_is_shortened() -> None:
    path = None
    for depth in range(10_000):
        path = TaskPath(path, 0, task(f"t{depth}", list))
    assert path is not None
    assert in_words(TaskStarted(path)).startswith("…/t9980/t9981/")


def test_a_recorder_keeps_every_event_in_order() -> None:
    recorder = Recorder()
    converge(ScriptedPlan({"a": _DOWN, "b": None}), listeners=[recorder])
    assert [type(event) for event in recorder.events] == [
        RunStarted,
        TaskStarted,
        TaskFailed,
        TaskStarted,
        TaskFinished,
        RunFinished,
        ConvergedEvent,
    ]
    assert [event.error for event in recorder.of(TaskFailed)] == [_DOWN]
    assert str(recorder).splitlines()[-1] == "converged after 2 runs, 1 error"
