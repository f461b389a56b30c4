"""What plan code returned: tasks, waits, or a mistake. Drivers check it here, and so does all code that asks a plan.

Whatever a class's `perform()` or a plan's `create()` returns must be tasks. A function that was made a task has done
its work when it returns: of its result only tasks count.
"""

from __future__ import annotations

import inspect
import itertools
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import GeneratorType
from typing import Any, NamedTuple, cast

from execloop._engine.tasks import AWAIT, PHASES, FunctionTask, Task, modes, traits
from execloop._engine.waits import Wait, waits_of

__all__ = ["MustAwait", "NotTasks", "Taken", "as_tasks", "refuse_awaitable", "take", "take_children", "take_created"]


class NotTasks(TypeError):
    """A plan or a task returned what is not tasks: a mistake in its code, which no retry corrects."""


class MustAwait(Exception):
    """A function that is not `async def` returned an awaitable: its task ends once that is awaited."""

    def __init__(self, awaitable: Any) -> None:
        super().__init__()
        self.awaitable = awaitable


class Taken(NamedTuple):
    """What was returned, checked."""

    tasks: tuple[Task, ...] = ()
    awaited: Task | None = None
    """The first of the tasks that has an asynchronous phase."""
    waits: tuple[Wait, ...] = ()


_NOTHING = Taken()


def take(value: object, source: Callable[[], str]) -> Taken:
    """Check what `create()` or `perform()` returned; `source` names it in the `NotTasks` raised for anything odd.

    Looks at each class rather than at each task: most of what an engine does per task would be this check.
    """
    items = _collect(value, source)
    if not items:
        return _NOTHING
    types = list(map(type, items))
    kinds = types[:1] if types.count(types[0]) == len(types) else set(types)
    known = [traits(kind) for kind in kinds]
    if not all(kind.whole for kind in known) or not (all(kind.named for kind in known) or _named(items)):
        if any(issubclass(kind, Wait) for kind in kinds):
            return _take_waits(items, source)
        for item in items:
            _check(item, source())
    if not any(kind.awaits for kind in known):
        return Taken(items)
    return Taken(items, next((item for item in items if AWAIT in modes(item)), None))


def _take_waits(items: tuple[Any, ...], source: Callable[[], str]) -> Taken:
    others = take([item for item in items if not isinstance(item, Wait)], source)
    return others._replace(waits=tuple(item for item in items if isinstance(item, Wait)))


def take_created(value: object, source: Callable[[], str]) -> Taken:
    """Check what `create()` returned. A generator that raises `Wait` has asked for what it yielded before."""
    return take(_until_it_waits(value) if isinstance(value, GeneratorType) else value, source)


def _until_it_waits(items: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from items
    except Exception as error:
        waits = waits_of(error)
        if not waits:
            raise
        yield from waits


def as_tasks(value: object, source: Callable[[], str]) -> tuple[Task, ...]:
    """Return the tasks alone of `take`."""
    return take(value, source).tasks


def take_children(task: Task, value: object, source: Callable[[], str]) -> Taken:
    """Check what a task's `perform()` returned. Raises NotTasks, or MustAwait."""
    if not isinstance(task, FunctionTask):
        return take(value, source)
    if inspect.isawaitable(value):
        raise MustAwait(value)
    if inspect.isasyncgen(value):
        raise NotTasks(f"{source()} returned an async generator, whose code never ran: return a list of tasks")
    if isinstance(value, Wait) or _looks_like_a_task(value):
        return take((value,), source)
    if not isinstance(value, _SERIES) or isinstance(value, _NO_SERIES):
        return _NOTHING
    items = tuple(value)
    return (
        take(items, source) if any(isinstance(item, Wait) or _looks_like_a_task(item) for item in items) else _NOTHING
    )


# Other iterables are left alone: to iterate over a cursor, a response or an open file is more work, and may block.
_SERIES = (list, tuple, Sequence, AbstractSet, GeneratorType, map, filter, itertools.chain, itertools.islice)
_NO_SERIES = (str, bytes, bytearray, memoryview, range)


def _looks_like_a_task(value: object) -> bool:
    """Tell a task, also one with a mistake in its name, from a result that has nothing to do with tasks."""
    if not all(callable(getattr(value, phase, None)) for phase in PHASES):
        return False
    return isinstance(getattr(value, "name", None), str) or hasattr(type(value), "perform")


def refuse_awaitable(value: object, source: Callable[[], str]) -> None:
    """Raise NotTasks for an awaitable that a function which is not `async def` returned: nothing would await it."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise NotTasks(f"{source()} returned an awaitable: declare it with `async def`")


def _collect(value: object, source: Callable[[], str]) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(value, Wait):
        return (value,)
    refuse_awaitable(value, source)
    odd = isinstance(value, (*_NO_SERIES, Mapping))  # an empty one would mean converged
    try:
        items = None if odd else iter(cast("Iterable[Any]", value))
    except TypeError:
        items = None
    if items is None:
        raise NotTasks(f"{source()} must return None or an iterable of tasks, not {_shown(value)}")
    return tuple(items)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120
_shown = _short.repr
"""What a message shows of an object: little of a large one, and something also where its `__repr__` fails."""


def _named(tasks: tuple[Task, ...]) -> bool:
    try:
        for item in tasks:
            if item.name.__class__ is not str:
                return False
    except AttributeError:
        return False
    return True


def _check(task: object, source: str) -> None:
    for phase in PHASES:
        if not callable(getattr(task, phase, None)):
            raise NotTasks(f"{source} returned {_shown(task)}, which is not a task: it has no method {phase}()")
    if inspect.isclass(task) and inspect.isfunction(inspect.getattr_static(task, "perform", None)):
        raise NotTasks(f"{source} returned the class {task.__qualname__}: return an instance of it")
    if not hasattr(task, "name"):
        raise NotTasks(f"{source} returned {_shown(task)}, which is not a task: it has no name")
    if not isinstance(task.name, str):
        raise NotTasks(
            f"the name of the task {_shown(task)} that {source} returned must be a string, not {_shown(task.name)}"
        )
