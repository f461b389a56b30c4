"""Tasks: what a plan returns. Any object with the members of `Task` is one."""

from __future__ import annotations

import functools
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from operator import attrgetter
from typing import Any, ParamSpec, Protocol, TypeAlias, cast, overload, runtime_checkable

__all__ = ["Children", "NotTasks", "Task", "as_tasks", "task"]

P = ParamSpec("P")


@runtime_checkable
class Task(Protocol):
    """One unit of work: `pre()`, `perform()`, `post()`, in this order, each of them sync or async.

    `name` may be a class attribute, an instance attribute or a property. `perform()` may return child tasks, which run
    after `post()`. Subclass it for the defaults, or bring any object that has these members.
    """

    name: str

    def pre(self) -> Awaitable[None] | None:
        """Check that the work can start. Raising skips the rest of the task."""
        return None

    @abstractmethod
    def perform(self) -> Children | Awaitable[Children]:
        """Do the work; return the tasks that follow from it, or None."""
        raise NotImplementedError

    def post(self) -> Awaitable[None] | None:
        """Check that the work is done. Raising skips the children."""
        return None


Children: TypeAlias = Iterable[Task] | None

_Phase: TypeAlias = Callable[[], Any]


def _nothing() -> None:
    pass


class _FunctionTask:
    __slots__ = ("name", "perform", "post", "pre")

    def __init__(self, name: str, perform: _Phase, pre: _Phase, post: _Phase) -> None:
        self.name, self.perform, self.pre, self.post = name, perform, pre, post

    def __repr__(self) -> str:
        return f"task({self.name!r})"


def _check_name(name: object, owner: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of {owner} must be a string, not {name!r}")
    return name


def _make(name: object, perform: object, pre: object = None, post: object = None) -> Task:
    _check_name(name, "a task")
    phases = {"perform": perform, "pre": pre or _nothing, "post": post or _nothing}
    for argument, function in phases.items():
        if not callable(function):
            raise TypeError(f"task({name!r}): {argument} must be callable, not {function!r}")
    return cast("Task", _FunctionTask(cast("str", name), **cast("dict[str, _Phase]", phases)))


@overload
def task(name: str, perform: _Phase, /, *, pre: _Phase | None = None, post: _Phase | None = None) -> Task: ...
@overload
def task(name: str, /) -> Callable[[Callable[P, Any]], Callable[P, Task]]: ...
@overload
def task(function: Callable[P, Any], /) -> Callable[P, Task]: ...
def task(
    name: str | Callable[P, Any], perform: _Phase | None = None, /, *, pre: _Phase | None = None, post: _Phase | None = None
) -> Any:
    """Make a task from functions, or turn a function into a maker of tasks.

    `task("name", perform, pre=…, post=…)` is a task. `@task` (or `@task("name")`) above `def create_user(x)` makes
    `create_user(x)` a task which, when its turn comes, calls that function.
    """
    if perform is not None:
        return _make(name, perform, pre, post)
    if callable(name):
        return _factory(name, name.__name__)
    _check_name(name, "a task")
    if pre is not None or post is not None:
        raise TypeError(f"task({name!r}, pre=…, post=…) also needs perform, its second argument")
    return functools.partial(_factory, name=name)


def _factory(function: Callable[P, Any], name: str) -> Callable[P, Task]:
    @functools.wraps(function)
    def factory(*args: P.args, **kwargs: P.kwargs) -> Task:
        return _make(name, functools.partial(function, *args, **kwargs))

    return factory


class NotTasks(TypeError):
    """A plan or a task returned what is not tasks: a mistake in its code, which no retry mends."""


# How a phase is attempted by an asynchronous driver.
SKIP, CALL, AWAIT = range(3)
Modes: TypeAlias = tuple[int, int, int]
_PHASES = ("pre", "perform", "post")
_NO_OPS = (_nothing, Task.pre, Task.post)
_KNOWN_LIMIT = 1024  # classes made at run time must not pile up
_known: dict[type, tuple[Modes | None, bool]] = {}


def is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - not whether, but how


def _mode(function: Any) -> int:
    if any(getattr(function, "__func__", function) is no_op for no_op in _NO_OPS):
        return SKIP
    return AWAIT if is_async(function) else CALL


def _learn(kind: type) -> tuple[Modes | None, bool]:
    """(how to attempt the phases, or None when each instance decides; whether the class itself has a good name)."""
    functions = [inspect.getattr_static(kind, phase, None) for phase in _PHASES]
    functions = [f.__func__ if isinstance(f, staticmethod | classmethod) else f for f in functions]
    by_class = all(inspect.isroutine(f) and not inspect.ismemberdescriptor(f) for f in functions)
    modes = cast("Modes", tuple(map(_mode, functions))) if by_class else None
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    _known[kind] = modes, isinstance(inspect.getattr_static(kind, "name", None), str)
    return _known[kind]


def modes(task: Task) -> Modes:
    """How to attempt `pre`, `perform` and `post` of a task."""
    kind = type(task)
    found, _ = _known.get(kind) or _learn(kind)
    if found is not None:
        return found
    return cast("Modes", tuple(_mode(getattr(task, phase)) for phase in _PHASES))


def _check(task: object, source: str) -> None:
    for phase in _PHASES:
        if not callable(getattr(task, phase, None)):
            raise NotTasks(f"{source} returned {task!r}, which is not a task: it has no method {phase}()")
    if not hasattr(task, "name"):
        raise NotTasks(f"{source} returned {task!r}, which is not a task: it has no name")
    if not isinstance(task.name, str):
        raise NotTasks(f"the name of the task {task!r} that {source} returned must be a string, not {task.name!r}")


def as_tasks(value: object, source: Callable[[], str]) -> tuple[Task, ...]:
    """Check what `create()` or `perform()` returned; `source` names it in the TypeError.

    Looks at each class once rather than at each task: most of what an engine does per task would be this check.
    """
    if value is None:
        return ()
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise NotTasks(f"{source()} returned an awaitable: declare it with `async def`")
    try:
        items = iter(cast("Iterable[Task]", value))
    except TypeError:
        raise NotTasks(f"{source()} must return None or an iterable of tasks, not {value!r}") from None
    tasks = tuple(items)
    kinds = set(map(type, tasks))
    learned = [_known.get(kind) or _learn(kind) for kind in kinds]
    if any(found is None for found, _ in learned):
        for item in tasks:
            _check(item, source())
    elif not all(named for _, named in learned):
        _check_names(tasks, source)
    return tasks


def _check_names(tasks: tuple[Task, ...], source: Callable[[], str]) -> None:
    try:
        good = set(map(type, map(attrgetter("name"), tasks))) <= {str}
    except AttributeError:
        good = False
    if not good:
        for item in tasks:
            _check(item, source())


def any_async(tasks: Iterable[Task]) -> Task | None:
    """The first task with an asynchronous phase."""
    kinds = set(map(type, tasks))
    if all((found := (_known.get(kind) or _learn(kind))[0]) is not None and AWAIT not in found for kind in kinds):
        return None
    return next((item for item in tasks if AWAIT in modes(item)), None)
