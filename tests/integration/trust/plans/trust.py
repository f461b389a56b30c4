"""Plans that misbehave, or wait for a test: what they did stands in a file a Plan, as in ../../plans/world.py.

A gate is a file of the world: code that waits for one goes on when the test makes it, or after 30 s.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, field_validator

from execloop import Context, Task, plan, task

WORLD = Path(os.environ["EXECLOOP_TEST_WORLD"])
_GATE_SECONDS = 30


def _file(context: Context) -> Path:
    return WORLD / f"{context.namespace}-{context.name}"


def mark(context: Context, line: str) -> None:
    with _file(context).open("a") as file:
        file.write(f"{line}\n")


def marks(context: Context) -> list[str]:
    file = _file(context)
    return file.read_text().splitlines() if file.exists() else []


def wait_for(gate: str) -> None:
    deadline = time.monotonic() + _GATE_SECONDS
    while not (WORLD / gate).exists() and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def marked(context: Context, name: str) -> Iterator[None]:
    """`begin name` and `end name`, however it ends. A name may end with `/` and what tells its attempts apart."""
    mark(context, f"begin {name}")
    try:
        yield
    finally:
        mark(context, f"end {name}")


class Gated(BaseModel):
    want: list[str] = ["a"]
    look: str = ""
    """create() waits for this gate."""
    work: str = ""
    """Each task waits for this gate."""


@plan("gated", parameters=Gated)
class GatedPlan:
    """Each name that is wanted is done once; create() and the tasks wait for gates."""

    def __init__(self, parameters: Gated, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def create(self) -> list[Task]:
        done = marks(self.context)
        mark(self.context, "look")
        if self.parameters.look:
            wait_for(self.parameters.look)
        return [task(name, partial(self._do, name)) for name in self.parameters.want if name not in done]

    def _do(self, name: str) -> None:
        with marked(self.context, name):
            if self.parameters.work:
                wait_for(self.parameters.work)
            mark(self.context, name)

    def teardown(self) -> list[Task]:
        done = marks(self.context)
        mark(self.context, "look at the teardown")
        return [] if "undone" in done else [task("undo", lambda: mark(self.context, "undone"))]


class How(BaseModel):
    how: str = "async"


class Panic(BaseException):
    """As pyo3 and gevent raise: no Exception."""


@plan("escapes", parameters=How)
class Escapes:
    """Raises what is no Exception, in one way or another."""

    def __init__(self, parameters: How, context: Context) -> None:
        self.how, self.context = parameters.how, context

    def create(self) -> Any:
        match self.how:
            case "sync create":
                raise asyncio.CancelledError
            case "nested loop":
                asyncio.run(_cancel_and_await())
            case "panic create":
                raise Panic("a panic in create")
        return [task("escape", self._async if self.how.startswith("async") else self._sync)]

    def _sync(self) -> None:
        raise Panic("a panic in a task") if self.how == "panic" else asyncio.CancelledError

    async def _async(self) -> None:
        if self.how == "async panic":
            raise Panic("a panic in a task")
        await _cancel_and_await()


@plan("escapes-async")
async def escapes_async(_parameters: object, _context: Context) -> list[Task]:
    return await _cancel_and_await()


async def _cancel_and_await() -> list[Task]:
    child = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    child.cancel()
    await child
    return []


@plan("gathers")
class Gathers:
    """Async code that blocks its event loop in a child task, once."""

    def __init__(self, _parameters: object, context: Context) -> None:
        self.context = context

    async def create(self) -> list[Task]:
        if "blocked" not in marks(self.context):
            await asyncio.gather(self._block(), asyncio.sleep(0))
        return []

    async def _block(self) -> None:
        with marked(self.context, "block"):
            mark(self.context, "blocked")
            time.sleep(8)  # noqa: ASYNC251 - the mistake that is tested


class Steps(BaseModel):
    count: int = 10
    seconds: float = 0.2
    blocking: bool = False


@plan("blocking-steps", parameters=Steps)
class StepsPlan:
    """Steps that say when they begin and end, in async or blocking code."""

    def __init__(self, parameters: Steps, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def create(self) -> Any:
        done = marks(self.context)
        do = self._block if self.parameters.blocking else self._await
        return [task(str(n), partial(do, n)) for n in range(self.parameters.count) if f"did {n}" not in done]

    def _block(self, number: int) -> None:
        with marked(self.context, str(number)):
            time.sleep(self.parameters.seconds)
            mark(self.context, f"did {number}")

    async def _await(self, number: int) -> None:
        with marked(self.context, f"{number}/{id(asyncio.current_task())}"):
            await asyncio.sleep(self.parameters.seconds)
            mark(self.context, f"did {number}")


@plan("async-steps", parameters=Steps)
class AsyncSteps(StepsPlan):
    async def create(self) -> Any:
        return super().create()


class Blocking(BaseModel):
    gate: str = ""
    exits: bool = False

    @field_validator("gate")
    @classmethod
    def _blocks(cls, gate: str) -> str:
        if gate:
            (WORLD / f"{gate}-validates").touch()
            wait_for(gate)
        return gate

    @field_validator("exits")
    @classmethod
    def _exits(cls, exits: bool) -> bool:
        return sys.exit("a validator leaves") if exits else exits


@plan("validates", parameters=Blocking)
def validates(_parameters: Blocking, context: Context) -> list[Task]:
    mark(context, "look")
    return []


class Anything(BaseModel, extra="allow"): ...


@plan("takes-anything", parameters=Anything)
def takes_anything(_parameters: Anything, context: Context) -> list[Task]:
    mark(context, "look")
    return []


@plan("to-thread")
async def to_thread(_parameters: object, context: Context) -> list[Task]:
    """What the exit of a process waits for: a call in asyncio's own threads, and a thread that is no daemon."""
    threading.Thread(target=time.sleep, args=(60,)).start()
    with marked(context, "thread"):
        await asyncio.to_thread(time.sleep, 60)
    return []


@plan("child-process")
def child_process(_parameters: object, context: Context) -> list[Task]:
    """A command that runs for long: it must not outlive the operator unseen."""
    if "run" in marks(context):
        return []

    def run() -> None:
        mark(context, "run")
        subprocess.run(["/bin/sleep", "60"], check=False)

    return [task("run", run)]


class Endless(BaseModel):
    runs: int = 40
    seconds: float = 0.5


@plan("many-runs", parameters=Endless)
class ManyRuns:
    """One task a run, for so many runs."""

    same_work_runs = 1000

    def __init__(self, parameters: Endless, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def create(self) -> list[Task]:
        number = len(marks(self.context))
        return [task(f"step {number}", partial(self._step, number))] if number < self.parameters.runs else []

    def _step(self, number: int) -> None:
        time.sleep(self.parameters.seconds)
        mark(self.context, f"step {number}")


class Value(BaseModel):
    what: str = "empty string"


@plan("returns", parameters=Value)
def returns(parameters: Value, _context: Context) -> Any:
    return {"empty string": "", "empty mapping": {}, "empty bytes": b""}[parameters.what]


@plan("odd-names")
def odd_names(_parameters: object, context: Context) -> list[Task]:
    """A name with a lone surrogate, as os.listdir() gives for a file whose name is not UTF-8."""
    if marks(context):
        return []
    return [task("file \udcff", partial(mark, context, "done"))]


class Watched(BaseModel):
    gate: str = ""
    work: str = ""


@plan("keeps-a-map", parameters=Watched)
class KeepsAMap:
    """One ConfigMap of its name; looks may wait for a gate after they have read it."""

    watches = (("v1", "ConfigMap"),)

    def __init__(self, parameters: Watched, context: Context) -> None:
        self.parameters, self.context = parameters, context

    @property
    def wanted(self) -> dict[str, Any]:
        metadata = {"name": self.context.name}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"plan": self.context.name}}

    async def create(self) -> list[Task]:
        from execloop.kube import Same

        same = isinstance(await self.context.kube.compare(self.wanted), Same)
        mark(self.context, f"look: {'same' if same else 'differs'}")
        if self.parameters.gate and marks(self.context).count("look: same") == 1 and same:
            mark(self.context, "holds")
            await asyncio.to_thread(wait_for, self.parameters.gate)
        return [] if same else [task("apply", self._apply)]

    async def _apply(self) -> None:
        await self.context.kube.apply(self.wanted)
        mark(self.context, "applied")
