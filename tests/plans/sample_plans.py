"""Plans for the tests of the command. Their world is a folder, so that each test has its own."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from execloop import Context, FatalError, Task, Wait, plan, task


class Parameters(BaseModel):
    folder: Path = Field(description="Where the files are")
    count: Annotated[int, Field(ge=0)] = 2
    failures: int = 0
    """How often writing the first file fails."""
    style: Literal["plain", "loud"] = "plain"


@plan("write-files", parameters=Parameters)
class WriteFiles:
    """Writes files.

    As many as it is told to.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.failed = 0

    def create(self) -> list[Task]:
        paths = [self.parameters.folder / f"f{index}" for index in range(self.parameters.count)]
        return [task(path.name, partial(self._write, path)) for path in paths if not path.exists()]

    def _write(self, path: Path) -> None:
        if self.failed < self.parameters.failures:
            self.failed += 1
            raise OSError("disk \x1b[31mfull\nsecond line")
        path.write_text(self.parameters.style)


@plan("waiting")
def waiting(_parameters: object) -> list[Wait]:
    """Waits for what never comes."""
    return [Wait("the node is not \x1b[31mready", again_in=0.001)]


@plan("settled")
def settled() -> list[Task]:
    return []


@plan("settled-generator")
def settled_generator() -> Iterator[Task]:
    yield from ()


@plan("free-form")
def free_form(parameters: dict[str, object], context: Context) -> list[Task]:
    context.logger.info("free-form has %s", parameters)
    return []


@plan("settled-async")
async def settled_async() -> list[Task]:
    await asyncio.sleep(0)
    return []


@plan("unreachable")
def unreachable() -> list[Task]:
    raise OSError("unreachable")


@plan("fatal")
def fatal() -> list[Task]:
    def give_up() -> None:
        raise FatalError("hopeless")

    return [task("give-up", give_up), task("never", lambda: None)]


@plan("exits")
def exits() -> list[Task]:
    raise SystemExit(3)


@plan("not-tasks")
def not_tasks() -> Any:
    return ["a name"]


@plan("blocked")
def blocked() -> list[Task]:
    def wait() -> None:
        sys.stdout.write("waiting\n")
        threading.Event().wait()

    return [task("wait", wait)]


@plan("blocked-async")
async def blocked_async() -> list[Task]:
    async def wait() -> None:
        sys.stdout.write("waiting\n")
        await asyncio.Event().wait()

    return [task("wait", wait)]


@plan("prints")
def prints() -> list[Task]:
    sys.stdout.write("the plan itself prints\n")
    return []


@plan("needs-cluster")
async def needs_cluster(_parameters: dict[str, object], context: Context) -> list[Task]:
    await context.kube.list("v1", "ConfigMap")
    return []
