"""The plan itself: ask the included plans, in order or all at once, and return what they ask for under their names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task
from execloop._plans.decorator import plan
from execloop._plans.entry import Entry
from execloop.library.includes.child import Child, IncludeError
from execloop.library.includes.gone import deletions
from execloop.library.includes.model import Include, Parameters
from execloop.library.parts.context import keep_sections, owning_part_of
from execloop.library.parts.inventory import PartInventory, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop._engine.waits import Wait
    from execloop._plans.context import Context
    from execloop._plans.whole import Whole

__all__ = ["Includes"]


@plan("includes", parameters=Parameters, stuck_after=None)
class Includes:
    """Everything that the included plans keep true is true. Its parameters are checked with the other plans known."""

    _reads_when_made = True

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._context = parameters, context
        self._names = {include.name for include in parameters.includes}
        pairs = zip(parameters.includes, parameters.included, strict=True)
        self._children = [
            Child(include.name, place, *included, self._part(include))
            for place, (include, included) in enumerate(pairs)
        ]

    @property
    def watches(self) -> Sequence[tuple[str, ...] | Whole]:
        """What the included plans watch."""
        return tuple(dict.fromkeys(each for child in self._children for each in child.watches))

    @property
    def reads(self) -> Sequence[tuple[str, str, str, str]]:
        """What the included plans read and do not own."""
        return tuple(dict.fromkeys(each for child in self._children for each in child.reads))

    async def create(self) -> list[Task | Wait]:
        context = self._context
        wanted = self._claimed()
        keep_sections(context.state, self._names.__contains__)
        parallel = self._parameters.order == "parallel"
        found = await (self._all("create") if parallel else self._first(self._children, "create"))
        context.inventory.recover = any(child.context.inventory.recover for child in self._children)
        if not found and self._parameters.prune and not context.missing_sources:
            found = await deletions(context, self._names, wanted)
        return found

    async def teardown(self) -> list[Task | Wait]:
        """Undo what the includes did, the last one first; one whose plan has no teardown is left as it is."""
        found = await deletions(self._context, self._names, frozenset())
        if found:
            return found
        if self._parameters.order == "parallel":
            return await self._all("teardown")
        return await self._first(self._children[::-1], "teardown")

    # -- asking

    async def _first(self, children: Sequence[Child], method: str) -> list[Task | Wait]:
        """Return what the first of them asks for that asks for anything."""
        for child in children:
            found: list[Task | Wait] = await getattr(child, method)()
            if found:
                return found
        return []

    async def _all(self, method: str) -> list[Task | Wait]:
        """Return what all of them ask for. An error of one keeps the others from nothing."""
        answers = await asyncio.gather(*(getattr(each, method)() for each in self._children), return_exceptions=True)
        found: list[Task | Wait] = []
        problems: list[BaseException] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                problems.append(answer)
            else:
                found += answer
        failed = [error for error in problems if isinstance(error, IncludeError)]
        if len(failed) < len(problems):
            raise next(error for error in problems if not isinstance(error, IncludeError))
        if failed and not any(isinstance(each, Task) for each in found):
            raise IncludeError("; ".join(map(str, failed)))
        return [*found, *(_Report(str(error)) for error in failed)]

    # -- what they are

    def _part(self, include: Include) -> Context:
        inventory = PartInventory(self._context.inventory, include.name)
        requests = {kind: _own(getattr(self._context, kind), include.name) for kind in ("retry", "skip")}
        return owning_part_of(self._context, include.name, inventory, **requests)

    def _claimed(self) -> frozenset[str]:
        """Give each object to the include that wants it now. Raises FatalError when two want the same one."""
        owners: dict[str, str] = {}
        for child in self._children:
            for entry in child.wants():
                if (other := owners.setdefault(entry, child.name)) != child.name:
                    raise FatalError(f"{other} and {child.name} both want {Entry.parse(entry).label}: keep one of them")
        whole = self._context.inventory
        for text in whole.snapshot():
            part, entry = split(text)
            if (owner := owners.get(entry, part)) != part:
                whole.discard(text)
                whole.add(f"{owner}:{entry}")
        for child in self._children:
            inventory: Any = child.context.inventory
            inventory.leave(entry for entry, owner in owners.items() if owner != child.name)
        return frozenset(owners)


def _own(request: str, name: str) -> str:
    """Return which step of an include is meant by `NAME/STEP`."""
    include, _, step = request.partition("/")
    return step if include == name else ""


class _Report(Task):
    """Fails, with why an included plan could not be asked."""

    def __init__(self, message: str) -> None:
        self.name, self._message = f"report {message.partition(':')[0]}", message
        self.detail = message[:1000]

    def perform(self) -> None:
        raise IncludeError(self._message)
