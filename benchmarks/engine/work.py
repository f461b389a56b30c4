"""The work that every contender does: nothing, so that what is measured is what a contender adds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Work:
    name = "work"

    def pre(self) -> None: ...
    def perform(self) -> None: ...
    def post(self) -> None: ...


class AsyncWork:
    name = "work"

    async def pre(self) -> None: ...
    async def perform(self) -> None: ...
    async def post(self) -> None: ...


class Waiting(AsyncWork):
    """Wait a hundredth of a second."""

    async def perform(self) -> None:
        await asyncio.sleep(0.01)


class Once(Generic[T]):
    """A plan of these tasks, converged after one run."""

    def __init__(self, tasks: Sequence[T]) -> None:
        self.tasks = tasks

    def create(self) -> Sequence[T]:
        tasks, self.tasks = self.tasks, ()
        return tasks


class AsyncOnce(Generic[T]):
    def __init__(self, tasks: Sequence[T]) -> None:
        self._plan = Once(tasks)

    async def create(self) -> Sequence[T]:
        return self._plan.create()
