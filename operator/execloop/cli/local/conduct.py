"""Drive a plan to its end on this machine, and report how it ended.

`run` calls it, with the listener that shows progress.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from execloop._engine.errors import ExecutionTimeout, FatalError, ToleranceExceeded, summary
from execloop._engine.returned import NotTasks
from execloop.cli.exits import CONVERGED, FAILED, INTERRUPTED, TERMINATED, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Report
    from execloop._engine.executor import Executor
    from execloop._engine.plan import Plan

__all__ = ["Ending", "conduct"]


@dataclass(frozen=True, slots=True)
class Ending:
    result: str
    """In one word, the operator's where it has one."""
    exit_code: int
    report: Report
    error: BaseException | None = None

    @property
    def words(self) -> str:
        report = self.report
        counts = ", ".join(
            f"{number} {noun}{'' if number == 1 else 's'}"
            for number, noun in ((report.runs, "run"), (report.tasks, "task"), (report.error_count, "error"))
        )
        did = f"{counts} in {report.duration:.1f} s"
        if self.exit_code == CONVERGED:
            return f"converged: {did}"
        if self.exit_code in (INTERRUPTED, TERMINATED):
            return f"{self.result.lower()}: {did}"
        return f"failed: {self.why}\n{did}"

    @property
    def why(self) -> str:
        """What ended it; empty when it converged or was interrupted."""
        if self.error is None:
            return ""
        what = "create() raised " if self.result == "CreateFailed" else ""
        message = (
            str(self.error) if isinstance(self.error, ToleranceExceeded | ExecutionTimeout) else summary(self.error)
        )
        waits = self.report.waits[-1:] if isinstance(self.error, ExecutionTimeout) else ()
        return f"{what}{message}" + "".join(f"; it waited for: {wait}" for wait in waits)

    def to_json(self) -> dict[str, Any]:
        return {
            "result": self.result,
            "error": None if self.error is None else summary(self.error),
            "runs": self.report.runs,
            "tasks": self.report.tasks,
            "errorCount": self.report.error_count,
            "errors": [
                {"task": str(record.path), "phase": record.phase, "error": summary(record.exception)}
                for record in self.report.errors
            ],
            "waits": [
                {"task": None if wait.path is None else str(wait.path), "message": wait.message}
                for wait in self.report.waits
            ],
            "seconds": round(self.report.duration, 3),
        }


def conduct(executor: Executor, make: Callable[[], Plan]) -> Ending:
    terminated = False

    async def converge() -> None:
        def terminate() -> None:
            nonlocal terminated
            terminated = converging.cancel()

        converging = cast("asyncio.Task[None]", asyncio.current_task())
        # What asyncio.run does for Ctrl-C: a report, and the terminal as it was.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        await executor.arun(make())

    error: BaseException | None = None
    try:
        asyncio.run(converge())
    except KeyboardInterrupt:
        return Ending("Interrupted", INTERRUPTED, executor.report)
    except BaseException as raised:  # noqa: BLE001 - whatever plan code raises
        if terminated:
            return Ending("Terminated", TERMINATED, executor.report)
        error = raised
    result, code = _result_of(error)
    return Ending(result, code, executor.report, error)


def _result_of(error: BaseException | None) -> tuple[str, int]:
    match error:
        case None:
            return "Converged", CONVERGED
        case ExecutionTimeout():
            return "ExecutionTimeout", TIMEOUT
        case ToleranceExceeded():
            return "ErrorsExceeded", FAILED
        case FatalError() | NotTasks():
            return "FatalError", FAILED
        case Exception():
            return "CreateFailed", FAILED
    return "FatalError", FAILED  # such as SystemExit
