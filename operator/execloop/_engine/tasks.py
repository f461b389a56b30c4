"""Tasks: what a plan returns. Any object with the members of `Task` is one."""

from __future__ import annotations

import functools
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeAlias, cast, overload, runtime_checkable

__all__ = [
    "AWAIT",
    "CALL",
    "SKIP",
    "AnyTask",
    "Children",
    "Modes",
    "NotTasks",
    "Task",
    "as_tasks",
    "is_async",
    "modes",
    "modes_of",
    "refuse_awaitable",
    "take",
    "task",
]

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


class AnyTask(Protocol):
    """What a type checker accepts as a task: as `Task`, but its name need only be readable, as a property is."""

    @property
    def name(self) -> str: ...
    def pre(self) -> Awaitable[None] | None: ...
    def perform(self) -> Children | Awaitable[Children]: ...
    def post(self) -> Awaitable[None] | None: ...


Children: TypeAlias = "Iterable[AnyTask] | None"

_Phase: TypeAlias = Callable[[], Any]

# How an asynchronous driver attempts a phase: it is known to do nothing, it may block, it is awaited.
SKIP, CALL, AWAIT = range(3)
Modes: TypeAlias = tuple[int, int, int]
_PHASES = ("pre", "perform", "post")


def _nothing() -> None:
    pass


class _FunctionTask:
    __slots__ = ("modes", "name", "perform", "post", "pre")

    def __init__(self, name: str, perform: _Phase, pre: _Phase, post: _Phase, modes: Modes) -> None:
        self.name, self.perform, self.pre, self.post, self.modes = name, perform, pre, post, modes

    def __repr__(self) -> str:
        return f"task({self.name!r})"


class _AsyncFunctionTask(_FunctionTask):
    __slots__ = ()


def _check_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a task must be a string, not {name!r}")
    return name


def _check_callable(name: str, argument: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"task({name!r}): {argument} must be callable, not {function!r}")


@overload
def task(name: str, perform: _Phase, /, *, pre: _Phase | None = None, post: _Phase | None = None) -> Task: ...
@overload
def task(name: str, /) -> Callable[[Callable[P, Any]], Callable[P, Task]]: ...
@overload
def task(function: Callable[P, Any], /) -> Callable[P, Task]: ...
def task(
    name: str | Callable[P, Any],
    perform: _Phase | None = None,
    /,
    *,
    pre: _Phase | None = None,
    post: _Phase | None = None,
) -> Any:
    """Make a task from functions, or turn a function into a maker of tasks.

    `task("name", perform, pre=…, post=…)` is a task. `@task` (or `@task("name")`) above `def create_user(x)` makes
    `create_user(x)` a task which, when its turn comes, calls that function.
    """
    if perform is not None:
        return _make(_check_name(name), perform, pre or _nothing, post or _nothing)
    if pre is not None or post is not None:
        raise TypeError(f"task({name!r}, pre=…, post=…) also needs perform, its second argument")
    if callable(name):
        return _factory(name, _check_name(getattr(name, "__name__", None)))
    return functools.partial(_factory, name=_check_name(name))


def _make(name: str, perform: _Phase, pre: _Phase, post: _Phase) -> Task:
    phases = (pre, perform, post)
    for argument, function in zip(_PHASES, phases, strict=True):
        _check_callable(name, argument, function)
    return _from_functions(name, perform, pre, post, cast("Modes", tuple(map(_mode, phases))))


def _from_functions(name: str, perform: _Phase, pre: _Phase, post: _Phase, modes: Modes) -> Task:
    kind = _AsyncFunctionTask if AWAIT in modes else _FunctionTask
    return cast("Task", kind(name, perform, pre, post, modes))


def _factory(function: Callable[P, Any], name: str) -> Callable[P, Task]:
    _check_callable(name, "what it decorates", function)
    modes = SKIP, _mode(function), SKIP

    @functools.wraps(function)
    def factory(*args: P.args, **kwargs: P.kwargs) -> Task:
        return _from_functions(name, functools.partial(function, *args, **kwargs), _nothing, _nothing, modes)

    return factory


class NotTasks(TypeError):
    """A plan or a task returned what is not tasks: a mistake in its code, which no retry mends."""


class _Traits(NamedTuple):
    """What is known of all tasks of one class, so that it need not be asked of each."""

    modes: Modes | None
    """None when each instance has phases of its own."""
    whole: bool
    """Whether they are sure to have the three phases."""
    named: bool
    """Whether they are sure to have a name that is a string."""
    awaits: bool
    """Whether any may have an asynchronous phase."""


_NO_OPS = (_nothing, Task.pre, Task.post)
_KNOWN_LIMIT = 1024  # classes made at run time must not pile up
_known: dict[type, _Traits] = {}


def is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - not whether, but how


def _mode(function: Any) -> int:
    if any(getattr(function, "__func__", function) is no_op for no_op in _NO_OPS):
        return SKIP
    return AWAIT if is_async(function) else CALL


def _traits(kind: type) -> _Traits:
    return _known.get(kind) or _learn(kind)


def _learn(kind: type) -> _Traits:
    functions = [inspect.getattr_static(kind, phase, None) for phase in _PHASES]
    functions = [f.__func__ if isinstance(f, staticmethod | classmethod) else f for f in functions]
    by_class = all(inspect.isroutine(f) and not inspect.ismemberdescriptor(f) for f in functions)
    own = issubclass(kind, _FunctionTask)
    modes = cast("Modes", tuple(map(_mode, functions))) if by_class else None
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    _known[kind] = _Traits(
        modes=modes,
        whole=by_class or own,
        named=own or isinstance(inspect.getattr_static(kind, "name", None), str),
        awaits=kind is not _FunctionTask if modes is None else AWAIT in modes,
    )
    return _known[kind]


def modes_of(kind: type) -> Modes | None:
    """How to attempt the phases of every task of a class; None when each instance decides."""
    return _traits(kind).modes


def modes(task: Task) -> Modes:
    """How to attempt `pre`, `perform` and `post` of a task."""
    if isinstance(task, _FunctionTask):
        return task.modes
    return _traits(type(task)).modes or cast("Modes", tuple(_mode(getattr(task, phase)) for phase in _PHASES))


def take(value: object, source: Callable[[], str]) -> tuple[tuple[Task, ...], Task | None]:
    """Check what `create()` or `perform()` returned: the tasks, and the first of them that has an asynchronous phase.

    `source` names it in the `NotTasks` that is raised for anything but None or an iterable of tasks. Looks at each
    class rather than at each task: most of what an engine does per task would be this check.
    """
    tasks = _collect(value, source)
    if not tasks:
        return tasks, None
    types = list(map(type, tasks))
    kinds = types[:1] if types.count(types[0]) == len(types) else set(types)
    traits = [_traits(kind) for kind in kinds]
    if not all(kind.whole for kind in traits) or not (all(kind.named for kind in traits) or _named(tasks)):
        for item in tasks:
            _check(item, source())
    if not any(kind.awaits for kind in traits):
        return tasks, None
    return tasks, next((item for item in tasks if AWAIT in modes(item)), None)


def as_tasks(value: object, source: Callable[[], str]) -> tuple[Task, ...]:
    """The tasks alone of `take`."""
    return take(value, source)[0]


def refuse_awaitable(value: object, source: Callable[[], str]) -> None:
    """A function that is not `async def` has no business returning what must be awaited: nobody would."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise NotTasks(f"{source()} returned an awaitable: declare it with `async def`")


def _collect(value: object, source: Callable[[], str]) -> tuple[Task, ...]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(value)
    refuse_awaitable(value, source)
    try:
        items = iter(cast("Iterable[Task]", value))
    except TypeError:
        raise NotTasks(f"{source()} must return None or an iterable of tasks, not {value!r}") from None
    return tuple(items)


def _named(tasks: tuple[Task, ...]) -> bool:
    try:
        for item in tasks:
            if item.name.__class__ is not str:
                return False
    except AttributeError:
        return False
    return True


def _check(task: object, source: str) -> None:
    for phase in _PHASES:
        if not callable(getattr(task, phase, None)):
            raise NotTasks(f"{source} returned {task!r}, which is not a task: it has no method {phase}()")
    if inspect.isclass(task) and inspect.isfunction(inspect.getattr_static(task, "perform", None)):
        raise NotTasks(f"{source} returned the class {task.__qualname__}: return an instance of it")
    if not hasattr(task, "name"):
        raise NotTasks(f"{source} returned {task!r}, which is not a task: it has no name")
    if not isinstance(task.name, str):
        raise NotTasks(f"the name of the task {task!r} that {source} returned must be a string, not {task.name!r}")
