"""Plans of which the tests see, in files, what they did. EXECLOOP_TEST_WORLD names the folder."""

import asyncio
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from execloop import Context, FatalError, Task, plan, task
from execloop.kube import Same

WORLD = Path(os.environ["EXECLOOP_TEST_WORLD"])


class Parameters(BaseModel):
    count: int = Field(default=1, gt=0)
    fails: int = 0
    seconds: float = 0.0
    fix: str = ""


def mark(context: Context, name: str) -> None:
    with (WORLD / f"{context.namespace}-{context.name}").open("a") as file:
        file.write(f"{name}\n")


def marks(context: Context) -> list[str]:
    file = WORLD / f"{context.namespace}-{context.name}"
    return file.read_text().splitlines() if file.exists() else []


@plan("marks", parameters=Parameters)
def marks_plan(parameters: Parameters, context: Context) -> list[Task]:
    """`count` marks are there; the first `fails` attempts fail; each takes `seconds`."""

    def perform(name: str) -> None:
        mark(context, f"try {name}")
        time.sleep(parameters.seconds)
        if len([m for m in marks(context) if m.startswith("try")]) <= parameters.fails:
            raise ValueError(f"attempt at {name} fails")
        mark(context, name)

    wanted = [f"{parameters.fix}{number}" for number in range(parameters.count)]
    return [task(name, partial(perform, name)) for name in wanted if name not in marks(context)]


@plan("maps", parameters=Parameters)
class Maps:
    """`count` ConfigMaps, by the async client."""

    watches = (("v1", "ConfigMap"),)

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def wanted(self, number: int) -> dict[str, object]:
        metadata = {"name": f"{self.context.name}-{number}"}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"plan": self.context.name}}

    async def create(self) -> list[Task]:
        kube, numbers = self.context.kube, range(self.parameters.count)
        compared = [(number, await kube.compare(self.wanted(number))) for number in numbers]
        return [_Apply(number, self) for number, found in compared if not isinstance(found, Same)]


class _Apply(Task):
    def __init__(self, number: int, maps: Maps) -> None:
        self.name, self.number, self.maps = f"map {number}", number, maps

    async def perform(self) -> None:
        await self.maps.context.kube.apply(self.maps.wanted(self.number))


@plan("official")
def official(_parameters: object, context: Context) -> list[Task]:
    """The blocking client; `context.kube` is refused here."""
    from kubernetes.client import CoreV1Api

    try:
        _ = context.kube.get("v1", "ConfigMap", "x")
    except TypeError as error:
        mark(context, str(error))
    CoreV1Api(context.api_client).list_namespaced_config_map(context.namespace)
    return []


@plan("fatal")
def fatal(_parameters: object, _context: Context) -> list[Task]:
    def perform() -> None:
        raise FatalError("no attempt can help")

    return [task("doomed", perform)]


@plan("exits")
def exits(_parameters: object, _context: Context) -> list[Task]:
    return [task("leave", lambda: sys.exit(3))]


@plan("rubbish")
def rubbish(_parameters: object, _context: Context) -> Any:
    return 42


@plan("unmakeable")
class Unmakeable:
    def __init__(self, _parameters: object, _context: Context) -> None:
        raise OSError("the world is unreachable")

    def create(self) -> None: ...


@plan("blocks")
def blocks(_parameters: object, _context: Context) -> list[Task]:
    return [task("block", lambda: time.sleep(60))]


@plan("blocks-loop")
async def blocks_loop(_parameters: object, _context: Context) -> list[Task]:
    time.sleep(8)  # noqa: ASYNC251 - the mistake that is tested
    return []


@plan("blocks-in-threads")
class BlocksInThreads:
    """By `asyncio.to_thread`, and in a thread of its own that the interpreter would wait for."""

    async def create(self) -> None:
        threading.Thread(target=time.sleep, args=(600,)).start()
        await asyncio.to_thread(time.sleep, 600)
