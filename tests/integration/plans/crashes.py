"""Plans that end the operator's process, and innocent ones beside them; what they did stands in files."""

import ctypes
import os
import re
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from execloop import Context, Task, plan, task

WORLD = Path(os.environ["EXECLOOP_TEST_WORLD"])


class How(BaseModel):
    how: Literal["exit", "kill", "fault", "hang", "none"] = "exit"
    seconds: float = 0.0


def _mark(context: Context, line: str) -> None:
    with (WORLD / f"{context.namespace}-{context.name}").open("a") as file:
        file.write(f"{line}\n")


def _end(how: str) -> None:
    match how:
        case "exit":
            os._exit(3)
        case "kill":  # as the kernel does when there is no memory left
            os.kill(os.getpid(), signal.SIGKILL)
        case "fault":
            ctypes.string_at(0)
        case "hang":  # one call of native code that keeps the interpreter to itself
            re.match(r"(a+)+$", "a" * 40 + "b")


@plan("crashes", parameters=How)
class Crashes:
    """Its one task ends the process, in its own way."""

    def __init__(self, parameters: How, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def create(self) -> list[Task]:
        return [] if self.parameters.how == "none" else [task("crash", self._crash)]

    def _crash(self) -> None:
        _mark(self.context, "crash")
        time.sleep(self.parameters.seconds)
        _end(self.parameters.how)


@plan("crashes-in-create", parameters=How)
async def crashes_in_create(parameters: How, context: Context) -> None:
    _mark(context, "crash")
    _end(parameters.how)


@plan("pulses")
class Pulses:
    """Never done, and never wrong: a run of a fifth of a second, again and again."""

    same_work_runs = None

    def __init__(self, _parameters: Any, context: Context) -> None:
        self.context = context

    def create(self) -> list[Task]:
        return [task("pulse", partial(self._pulse))]

    def _pulse(self) -> None:
        time.sleep(0.2)
        _mark(self.context, "pulse")


@plan("climbs")
class Climbs:
    """Twenty steps, each of them done once."""

    def __init__(self, _parameters: Any, context: Context) -> None:
        self.context = context

    def create(self) -> list[Task]:
        file = WORLD / f"{self.context.namespace}-{self.context.name}"
        done = file.read_text().split() if file.exists() else []
        return [task(str(n), partial(self._step, str(n))) for n in range(20) if str(n) not in done]

    def _step(self, number: str) -> None:
        time.sleep(0.2)
        _mark(self.context, number)
