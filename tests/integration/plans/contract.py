"""Plans for the tests of modes, approvals, references and teardown; what they did stands in files, as in world.py."""

import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from execloop import Context, Task, plan, task

WORLD = Path(os.environ["EXECLOOP_TEST_WORLD"])


def _file(context: Context, suffix: str = "") -> Path:
    return WORLD / f"{context.namespace}-{context.name}{suffix}"


def mark(context: Context, line: str) -> None:
    with _file(context).open("a") as file:
        file.write(f"{line}\n")


def marks(context: Context) -> list[str]:
    file = _file(context)
    return file.read_text().splitlines() if file.exists() else []


class Names(BaseModel):
    names: list[str] = ["a", "b"]
    then: list[str] = []
    """More that shows once all `names` are done."""
    undo_fails: int = 0
    undo_seconds: float = 0.0


@plan("drops")
class Drops:
    """Marks `create`, and `drop`, which needs an approval."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def create(self) -> list[Task]:
        there = marks(self.context)
        return [
            one for one in (drop(self.context), task("create", mark, self.context, "create")) if one.name not in there
        ]


@task("drop", detail=lambda _context: "DROP TABLE old;\nDROP TABLE older;", approval=True)
def drop(context: Context) -> None:
    mark(context, "drop")


@plan("undoes", parameters=Names)
class Undoes:
    """Each name is marked; `teardown()` marks `-name`, after `undo_fails` failures."""

    def __init__(self, parameters: Names, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def create(self) -> list[Task]:
        there = marks(self.context)
        todo = [name for name in self.parameters.names if name not in there]
        if not todo:
            todo = [name for name in self.parameters.then if name not in there]
        return [task(name, partial(mark, self.context, name)) for name in todo]

    def teardown(self) -> list[Task]:
        there = marks(self.context)
        return [task(f"undo {n}", partial(self._undo, n)) for n in self.parameters.names if f"-{n}" not in there]

    def _undo(self, name: str) -> None:
        mark(self.context, f"try -{name}")
        time.sleep(self.parameters.undo_seconds)
        if len([m for m in marks(self.context) if m.startswith("try -")]) <= self.parameters.undo_fails:
            raise ValueError(f"{name} cannot be undone yet")
        mark(self.context, f"-{name}")


class Text(BaseModel):
    text: str = ""
    port: int = 0
    fails: bool = False


@plan("texts", parameters=Text)
def texts(parameters: Text, context: Context) -> list[Task]:
    """Marks `text`; it says it in a log line, a task's name and, if it is to fail, in an error."""
    context.logger.info("the text is %s", parameters.text)
    context.logger.warning("as bytes: %r", parameters.text.encode())

    def perform() -> None:
        if parameters.fails:
            raise ValueError(f"cannot use {parameters.text!r}")
        mark(context, parameters.text)

    return [task(f"write {parameters.text}", perform)] if parameters.text not in marks(context) else []


@plan("stuck")
class Stuck:
    same_work_runs = 3
    same_work_seconds = 0.5

    def __init__(self, _parameters: object, context: Context) -> None:
        self.context = context

    def create(self) -> list[Task]:
        if _file(self.context, ".free").exists():
            return []
        return [task("again", partial(mark, self.context, "again"))]


class Many(BaseModel):
    count: int = 8


def _times(context: Context, what: str, number: int) -> None:
    with _file(context, ".times").open("a") as file:
        file.write(f"{what} {number}\n")


@plan("naps", parameters=Many)
def naps(parameters: Many, context: Context) -> list[Task]:
    """`count` tasks that sleep, blocking and async in turn, and tell when they begin and end."""

    def blocking(number: int) -> None:
        _times(context, "begin", number)
        time.sleep(0.3)
        _times(context, "end", number)
        mark(context, str(number))

    async def awaiting(number: int) -> None:
        _times(context, "begin", number)
        await asyncio.sleep(0.3)
        _times(context, "end", number)
        mark(context, str(number))

    todo = [n for n in range(parameters.count) if str(n) not in marks(context)]
    return [task(str(n), partial(awaiting if n % 2 else blocking, n)) for n in todo]


@plan("huge", parameters=Many)
def huge(parameters: Many, context: Context) -> list[Task]:
    """As many tasks as are asked for, in one `create()`."""
    if marks(context):
        return []
    return [task(f"number {n}", partial(mark, context, str(n))) for n in range(parameters.count)]


class Reach(BaseModel):
    namespace: str
    name: str
    official: bool = False


@plan("reaches", parameters=Reach)
class Reaches:
    """Reads a Secret that its parameters name, with the one client or the other, and marks what came of it."""

    def __init__(self, parameters: Reach, context: Context) -> None:
        self.parameters, self.context = parameters, context

    async def create(self) -> list[Task]:
        if marks(self.context):
            return []
        return [task("reach", self._official if self.parameters.official else self._ours)]

    async def _ours(self) -> None:
        from execloop.kube import ApiError

        try:
            found = await self.context.kube.get("v1", "Secret", self.parameters.name, self.parameters.namespace)
        except ApiError as error:
            mark(self.context, f"refused {error.status}")
        else:
            mark(self.context, f"read {found is not None}")

    def _official(self) -> None:
        from kubernetes.client import CoreV1Api
        from kubernetes.client.exceptions import ApiException

        try:
            found: Any = CoreV1Api(self.context.api_client).read_namespaced_secret(
                self.parameters.name, self.parameters.namespace
            )
        except ApiException as error:
            mark(self.context, f"refused {error.status}")
        else:
            mark(self.context, f"read {found is not None}")
