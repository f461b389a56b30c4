"""execloop converges: a plan returns the tasks that are still needed; the engine runs them, waits, and asks again.

Everything here needs the standard library only. `execloop.kube`, `execloop.library`, `execloop.controller` and
`execloop.cli` need the extras `operator` and `cli`.
"""

from execloop.context import Context
from execloop.errors import ExecloopError, ExecutionTimeout, FatalError, ToleranceExceeded
from execloop.events import Report
from execloop.execution import Execution
from execloop.executor import Executor, arun, run
from execloop.options import Options
from execloop.plans import Plan, plan
from execloop.tasks import Task, task

__all__ = [
    "Context",
    "ExecloopError",
    "Execution",
    "ExecutionTimeout",
    "Executor",
    "FatalError",
    "Options",
    "Plan",
    "Report",
    "Task",
    "ToleranceExceeded",
    "arun",
    "plan",
    "run",
    "task",
]
