"""Tasks: what a plan returns. Any object with the members of `Task` is one."""

from __future__ import annotations

import functools
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import FunctionType, MappingProxyType, MethodType
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeAlias,
    cast,
    overload,
    runtime_checkable,
)

if TYPE_CHECKING:
    from execloop._engine.waits import Wait

__all__ = [
    "AWAIT",
    "CALL",
    "LONGEST_DETAIL",
    "PHASES",
    "SKIP",
    "AnyTask",
    "Children",
    "FunctionTask",
    "Modes",
    "Task",
    "detail_of",
    "is_async",
    "modes",
    "modes_of",
    "needs_approval",
    "task",
    "task_name",
    "traits",
]

P = ParamSpec("P")


@runtime_checkable
class Task(Protocol):
    """One unit of work: `pre()`, `perform()`, `post()`, in this order, each of them sync or async.

    `name` may be a class attribute, an instance attribute or a property. Subclass it for the defaults, or bring any
    object that has these members. Two more are optional: `detail`, a text of at most 4 KiB that shows what the task
    will do (such as SQL, or a diff), and `approval`, True for a task that must be approved before the operator runs it.

    >>> class Greet(Task):
    ...     name = "greet"
    ...     def perform(self):
    ...         print("hello")
    """

    name: str

    def pre(self) -> Awaitable[None] | None:
        """Check that the work can start. Raising skips the rest of the task."""
        return None

    @abstractmethod
    def perform(self) -> Children | Awaitable[Children]:
        """Do the work; return the tasks that follow from it, or None.

        They run after `post()`, before this task's next sibling. Raising costs one error; raising `Wait` costs none.
        """
        raise NotImplementedError

    def post(self) -> Awaitable[None] | None:
        """Check that the work is done. Raising skips the children."""
        return None

    if not TYPE_CHECKING:  # to a type checker it would be one more member that a task must have

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            for member, default in _OPTIONAL.items():  # not members of this class: an object without them is a task too
                if not hasattr(cls, member) and member not in inspect.get_annotations(cls):  # else a dataclass's field
                    setattr(cls, member, default)


_OPTIONAL: Mapping[str, Any] = MappingProxyType({"detail": "", "approval": False})
LONGEST_DETAIL = 4096


class AnyTask(Protocol):
    """What a type checker accepts as a task: as `Task`, but its name need only be readable, as a property is."""

    @property
    def name(self) -> str: ...
    def pre(self) -> Awaitable[None] | None: ...
    def perform(self) -> Children | Awaitable[Children]: ...
    def post(self) -> Awaitable[None] | None: ...


Children: TypeAlias = "Iterable[AnyTask | Wait] | Wait | None"

_Phase: TypeAlias = Callable[[], Any]

# How an asynchronous driver attempts a phase: it is known to do nothing, it may block, it is awaited.
SKIP, CALL, AWAIT = range(3)
Modes: TypeAlias = tuple[int, int, int]
PHASES = ("pre", "perform", "post")


def _nothing() -> None:
    pass


class FunctionTask:
    """A task made of functions, by `task`. Of what `perform` returns only tasks count, as its children."""

    __slots__ = ("approval", "detail", "modes", "name", "perform", "post", "pre")

    def __init__(self, name: str, perform: _Phase, pre: _Phase, post: _Phase, modes: Modes) -> None:
        self.name, self.perform, self.pre, self.post, self.modes = name, perform, pre, post, modes
        self.detail, self.approval = "", False

    def __repr__(self) -> str:
        return f"task({self.name!r})"


class _AsyncFunctionTask(FunctionTask):
    __slots__ = ()


def _check_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a task must be a string, not {name!r}")
    return name


def _check_callable(name: str, argument: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"task({name!r}): {argument} must be callable, not {function!r}")


@overload
def task(
    name: str, function: Callable[..., Any], /, *args: Any, pre: _Phase, post: _Phase | None = None, **kwargs: Any
) -> Task: ...
@overload
def task(
    name: str, function: Callable[..., Any], /, *args: Any, pre: _Phase | None = None, post: _Phase, **kwargs: Any
) -> Task: ...
@overload
def task(name: str, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Task: ...
@overload
def task(
    name: str, /, *, detail: str | Callable[..., str] = "", approval: bool = False
) -> Callable[[Callable[P, Any]], Callable[P, Task]]: ...
@overload
def task(function: Callable[P, Any], /) -> Callable[P, Task]: ...
def task(name: str | Callable[..., Any], /, *args: Any, pre: Any = None, post: Any = None, **kwargs: Any) -> Any:
    """Make a task from a function, or turn a function into a maker of tasks.

    `task("name", function, *args, **kwargs)` is a task which, when its turn comes, calls `function(*args, **kwargs)`.
    `@task` (or `@task("name", detail=…, approval=…)`) above `def create_user(x)` makes `create_user(x)` such a task.

    The function's result is ignored, as its work was done, unless it is a task, a `Wait`, or a list, tuple, set or
    generator of them: these are the task's children. An awaitable is awaited, by `arun`.

    Args:
        name: What logs and reports call the task; of `@task` alone, the function's name.
        *args: The function, and its positional arguments.
        **kwargs: Its keyword arguments.
        pre: Checks that the work can start: a function without arguments.
        post: Checks that the work is done: a function without arguments.
        detail: Of `@task` alone: what the task will do, or a function that says so of the same arguments.
        approval: Of `@task` alone: whether the operator needs an approval before it runs such a task.

    Raises:
        TypeError: The name is not a string, or a phase cannot be called.

    >>> task("say hello", print, "hello", end="!").perform()
    hello!

    """
    if args:
        return _make(_check_name(name), args[0], args[1:], kwargs, pre or _nothing, post or _nothing)
    phases = {name: phase for name, phase in (("pre", pre), ("post", post)) if phase is not None}
    if not callable(name):
        if phases or not kwargs.keys() <= _OPTIONAL.keys():
            given = ", ".join(f"{each}=…" for each in (phases | kwargs))
            raise TypeError(f"task({name!r}, {given}) also needs a function, its second argument")
        return functools.partial(_factory, name=_check_name(name), **kwargs)
    if phases or kwargs:
        raise TypeError(f"the name of a task must be a string, not {name!r}")
    return _factory(name, _check_name(getattr(name, "__name__", None)))


def _make(
    name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], pre: _Phase, post: _Phase
) -> FunctionTask:
    phases = (pre, function, post)
    for argument, phase in zip(PHASES, phases, strict=True):
        _check_callable(name, argument, phase)
    perform = functools.partial(function, *args, **kwargs) if args or kwargs else function
    return _from_functions(name, perform, pre, post, cast("Modes", tuple(map(_mode, phases))))


def _from_functions(name: str, perform: _Phase, pre: _Phase, post: _Phase, modes: Modes) -> FunctionTask:
    kind = _AsyncFunctionTask if AWAIT in modes else FunctionTask
    return kind(name, perform, pre, post, modes)


def _factory(
    function: Callable[P, Any], name: str, detail: str | Callable[..., str] = "", approval: bool = False
) -> Callable[P, Task]:
    _check_callable(name, "what it decorates", function)
    modes = SKIP, _mode(function), SKIP

    @functools.wraps(function)
    def factory(*args: P.args, **kwargs: P.kwargs) -> Task:
        made = _from_functions(name, functools.partial(function, *args, **kwargs), _nothing, _nothing, modes)
        made.detail = detail(*args, **kwargs) if callable(detail) else detail
        made.approval = approval
        return cast("Task", made)

    return factory


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
    """Return whether a function is `async def`, an object whose `__call__` is, or one that is marked `is_async`."""
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and not plain.__dict__:  # most tasks; a mark would be in there
        return bool(plain.__code__.co_flags & inspect.CO_COROUTINE)
    if getattr(function, "is_async", False) is True:
        return True
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - not whether, but how


def _mode(function: Any) -> int:
    plain = getattr(function, "__func__", function)
    if any(plain is no_op for no_op in _NO_OPS):
        return SKIP
    return AWAIT if is_async(function) else CALL


def traits(kind: type) -> _Traits:
    """Return what is known of all tasks of a class."""
    return _known.get(kind) or _learn(kind)


def _learn(kind: type) -> _Traits:
    functions = [inspect.getattr_static(kind, phase, None) for phase in PHASES]
    functions = [f.__func__ if isinstance(f, staticmethod | classmethod) else f for f in functions]
    by_class = all(inspect.isroutine(f) and not inspect.ismemberdescriptor(f) for f in functions)
    own = issubclass(kind, FunctionTask)
    modes = cast("Modes", tuple(map(_mode, functions))) if by_class else None
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    _known[kind] = _Traits(
        modes=modes,
        whole=by_class or own,
        named=own or isinstance(inspect.getattr_static(kind, "name", None), str),
        awaits=kind is not FunctionTask if modes is None else AWAIT in modes,
    )
    return _known[kind]


def modes_of(kind: type) -> Modes | None:
    """Return how to attempt the phases of every task of a class; None when each instance decides."""
    return traits(kind).modes


def modes(task: Task) -> Modes:
    """Return how to attempt `pre`, `perform` and `post` of a task."""
    if isinstance(task, FunctionTask):
        return task.modes
    return traits(type(task)).modes or cast("Modes", tuple(_mode(getattr(task, phase)) for phase in PHASES))


def task_name(task: AnyTask) -> str:
    """Return what reports call a task. A `name` is code of the plan's: where it raises, a report must not."""
    try:
        return str(task.name)
    except Exception:  # noqa: BLE001 - any error of the plan's code
        return f"<{type(task).__name__}>"


def detail_of(task: AnyTask) -> str:
    """Return what a task shows of its work, or nothing. Raises TypeError or ValueError that names the task."""
    detail = getattr(task, "detail", "")
    if not isinstance(detail, str):
        raise TypeError(f"the detail of the task {task.name!r} must be text, not {type(detail).__name__}")
    if (size := len(detail.encode(errors="replace"))) > LONGEST_DETAIL:
        raise ValueError(f"the detail of the task {task.name!r} has {size} bytes: at most {LONGEST_DETAIL}")
    return detail


def needs_approval(task: AnyTask) -> bool:
    """Return whether a task asks for an approval of its own."""
    return getattr(task, "approval", False) is True
