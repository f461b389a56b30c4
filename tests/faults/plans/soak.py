"""A plan that fails now and then, for ever or never, for the soak: what it wants is one file."""

import asyncio
import os
import random
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from execloop import Context, Task, plan, task

WORLD = Path(os.environ["EXECLOOP_TEST_WORLD"])


class Soak(BaseModel):
    fails: float = 0.1
    """The share of attempts that fail."""
    edition: int = 0


class _File:
    def __init__(self, parameters: Soak, context: Context) -> None:
        self.parameters, self.context = parameters, context
        self.file = WORLD / f"{context.name}.{parameters.edition}"

    def write(self) -> None:
        if random.random() < self.parameters.fails:
            raise OSError(f"{self.file.name} cannot be written this time")
        self.file.touch()


@plan("soak", parameters=Soak)
class Blocking(_File):
    def create(self) -> list[Task]:
        return [] if self.file.exists() else [task("write", self.write)]


@plan("soak-async", parameters=Soak)
class Async(_File):
    async def create(self) -> list[Task]:
        await asyncio.sleep(0.001)
        return [] if self.file.exists() else [task("write", self._write)]

    async def _write(self) -> None:
        await asyncio.gather(asyncio.sleep(0.005), asyncio.sleep(0.005))
        self.write()


@plan("soak-map", parameters=Soak)
class Map:
    """A ConfigMap, watched."""

    watches = (("v1", "ConfigMap"),)

    def __init__(self, parameters: Soak, context: Context) -> None:
        self.parameters, self.context = parameters, context

    @property
    def wanted(self) -> dict[str, Any]:
        data = {"edition": str(self.parameters.edition)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.context.name}, "data": data}

    async def create(self) -> list[Task]:
        from execloop.kube import Same

        same = isinstance(await self.context.kube.compare(self.wanted), Same)
        return [] if same else [task("apply", partial(self.context.kube.apply, self.wanted))]
