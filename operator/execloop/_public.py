"""Where each public name of `execloop` is; the package imports this when the first of them is asked for."""

from execloop._engine.errors import ExecloopError, ExecutionTimeout, FatalError, ToleranceExceeded
from execloop._engine.events import (
    ConvergedEvent,
    ErrorRecord,
    Event,
    GaveUp,
    Listener,
    Report,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskPath,
    TaskStarted,
    TaskWaiting,
    WaitRecord,
)
from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop._engine.executor import Executor, arun, run
from execloop._engine.options import Options
from execloop._engine.plan import Plan
from execloop._engine.run import astep, step
from execloop._engine.tasks import Task, task
from execloop._engine.waits import Wait
from execloop._plans.context import Context
from execloop._plans.decorator import plan
from execloop._plans.duration import Duration
from execloop._plans.whole import Whole

__all__ = [
    "Again",
    "Context",
    "Converged",
    "ConvergedEvent",
    "CreateFailed",
    "Duration",
    "ErrorRecord",
    "Event",
    "ExecloopError",
    "Execution",
    "ExecutionTimeout",
    "Executor",
    "Failed",
    "FatalError",
    "GaveUp",
    "Interrupted",
    "Listener",
    "Options",
    "Outcome",
    "Plan",
    "Report",
    "RunFinished",
    "RunStarted",
    "Task",
    "TaskFailed",
    "TaskFinished",
    "TaskPath",
    "TaskStarted",
    "TaskWaiting",
    "ToleranceExceeded",
    "Wait",
    "WaitRecord",
    "Whole",
    "arun",
    "astep",
    "plan",
    "run",
    "step",
    "task",
]
