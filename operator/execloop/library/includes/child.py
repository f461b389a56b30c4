"""One included plan: what it wants, and what it asks for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import FatalError, InvalidParameters
from execloop._engine.returned import NotTasks, take_created
from execloop._engine.waits import Wait, waits_of
from execloop._plans.entry import Entry, group_of
from execloop._plans.whole import Whole
from execloop.library.includes.model import placed
from execloop.library.parts.tasks import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execloop._engine.tasks import Task
    from execloop._plans.context import Context
    from execloop._plans.definition import Definition

__all__ = ["Child", "IncludeError"]


class IncludeError(Exception):
    """An included plan could not be asked. The message names it and the cause."""


class Child:
    """A plan whose `create()` may block is made and asked in a thread of the Plan's own."""

    def __init__(self, name: str, place: int, definition: Definition, parameters: Any, context: Context) -> None:
        self.name, self._place, self._definition = name, place, definition
        self._parameters, self.context = parameters, context
        self._plan = definition.make(parameters, context) if definition.asynchronous else None

    @property
    def watches(self) -> tuple[tuple[str, ...] | Whole, ...]:
        """Return what its plan declares."""
        made: Any = self._definition.factory if self._plan is None else self._plan
        found = getattr(made, "watches", None) or getattr(made, "declared", {}).get("watches", ())
        if isinstance(found, property):
            return ()
        return tuple(each if isinstance(each, Whole) else tuple(each) for each in found)

    @property
    def reads(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return the objects that its plan reads and does not own."""
        return (
            tuple(getattr(self._plan, "reads", ())) if self._definition.module.startswith("execloop.library.") else ()
        )

    def wants(self) -> Iterator[str]:
        """Yield the objects that it names, as entries of an inventory."""
        for each in self.watches:
            if not isinstance(each, Whole) and len(each) == 4:  # noqa: PLR2004 - an object, and not a kind
                api_version, kind, namespace, name = each
                yield str(Entry(group_of(api_version), kind, namespace or self.context.namespace, name))

    async def create(self) -> list[Task | Wait]:
        """Return what it asks for. Raises FatalError, InvalidParameters, IncludeError."""
        return await self._asked("create", blocks=not self._definition.asynchronous)

    async def teardown(self) -> list[Task | Wait]:
        """Return what its teardown asks for; nothing where it has none."""
        if not self._definition.teardown:
            return []
        return await self._asked("teardown", blocks=not self._definition.teardown_asynchronous)

    async def _asked(self, method: str, *, blocks: bool) -> list[Task | Wait]:
        try:
            if blocks:
                taken = await asyncio.to_thread(lambda: self._taken(getattr(self._made(), method)()))
            else:
                taken = self._taken(await getattr(self._made(), method)())
        except InvalidParameters as error:  # of a plan that it includes in turn
            raise placed(error, self._place) from None
        except NotTasks:
            raise
        except FatalError as error:
            raise FatalError(f"{self.name}: {error}") from None
        except Exception as error:
            if waits := waits_of(error):
                return named(self.name, waits)
            raise IncludeError(f"{self.name}: {error}") from error
        return named(self.name, taken)

    def _made(self) -> Any:
        return self._plan if self._plan is not None else self._definition.make(self._parameters, self.context)

    def _taken(self, created: object) -> list[Task | Wait]:
        source: Callable[[], str] = lambda: f"the plan {self._definition.name!r}"  # noqa: E731 - it is not always needed
        found = take_created(created, source)
        return [*found.tasks, *found.waits]
