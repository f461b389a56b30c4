"""How a plan gets a name: `@plan` above a class or a function. What it finds out is a `Definition`."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast, overload

from execloop._engine.options import seconds
from execloop._plans.definition import ARGUMENTS, SAME_WORK_RUNS, SAME_WORK_SECONDS, Definition
from execloop._plans.duration import parse_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import timedelta

    from execloop._engine.plan import Plan
    from execloop._engine.tasks import Children
    from execloop._plans.context import Context
    from execloop._plans.whole import Whole

__all__ = ["PLAN_NAME", "PlanFunction", "check_plan_name", "plan"]

C = TypeVar("C", bound=type)
M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
Watches: TypeAlias = "Iterable[tuple[str, str] | tuple[str, str, str, str] | Whole]"
Time: TypeAlias = "str | float | timedelta"

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}([.]{_LABEL})*")
PLAN_NAME = (
    "lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit, at most 253"
)
_UNSET: Any = object()
_DECLARATIONS = ("watches", "teardown", "stuck_after")
_ATTRIBUTES = (*_DECLARATIONS, "same_work_runs", "same_work_seconds")
_LIKENESS = 0.87
"""How much alike two names are when one is taken for a misspelling of the other."""


class PlanFunction:
    """A function that returns tasks, as a plan: calling it with (parameters, context) makes the plan."""

    def __init__(self, function: Callable[..., Any], declared: dict[str, Any]) -> None:
        self.function = function
        self.declared = declared
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.__execloop_plan__: Definition

    def __call__(self, *args: Any) -> Plan:
        kind = _AsyncFunctionPlan if inspect.iscoroutinefunction(self.function) else _FunctionPlan
        return kind(self, args)

    def create(self) -> Children | Awaitable[Children]:
        """Ask a plan of a function without parameters, which is a plan as it stands."""
        return self().create()

    def __repr__(self) -> str:
        return f"<plan {self.__name__}>"


class _FunctionPlan:
    def __init__(self, made_by: PlanFunction, args: tuple[Any, ...]) -> None:
        self.name, self._function, self._args = made_by.__execloop_plan__.name, made_by.function, args
        self.watches = made_by.declared.get("watches", ())
        if (teardown := made_by.declared.get("teardown")) is not None:
            self.teardown = functools.partial(teardown, *args)

    def create(self) -> Children:
        return cast("Children", self._function(*self._args))


class _AsyncFunctionPlan(_FunctionPlan):
    async def create(self) -> Children:  # type: ignore[override]  # what Plan allows: sync or async
        return cast("Children", await self._function(*self._args))


class _Decorator(Protocol):
    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: Callable[..., Children | Awaitable[Children]], /) -> PlanFunction: ...


class _DecoratorFor(Protocol[M_co]):
    """Of a plan with a model: what it decorates takes that model, and perhaps the context."""

    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: Callable[[M_co], Children | Awaitable[Children]], /) -> PlanFunction: ...
    @overload
    def __call__(self, target: Callable[[M_co, Context], Children | Awaitable[Children]], /) -> PlanFunction: ...


@overload
def plan(target: C, /) -> C: ...
@overload
def plan(function: Callable[..., Children | Awaitable[Children]], /) -> PlanFunction: ...
@overload
def plan(
    name: str,
    /,
    *,
    parameters: type[M],
    watches: Watches = ...,
    teardown: Callable[[M], Any] | Callable[[M, Context], Any] = ...,
    stuck_after: Time | None = ...,
) -> _DecoratorFor[M]: ...
@overload
def plan(
    name: str,
    /,
    *,
    parameters: None = None,
    watches: Watches = ...,
    teardown: Callable[..., Any] = ...,
    stuck_after: Time | None = ...,
) -> _Decorator: ...
def plan(
    name: Any,
    /,
    *,
    parameters: Any = None,
    watches: Any = _UNSET,
    teardown: Any = _UNSET,
    stuck_after: Any = _UNSET,
    **unknown: Any,
) -> Any:
    """Name a plan, so that the command and the operator find it.

    Above a function `(parameters, context)` that returns tasks, or above a class that is made with them and has
    `create()`. Fewer arguments are fine. `@plan` alone takes the name from the function, with dashes.

    Args:
        name: Lower-case letters, digits, `-` and `.`.
        parameters: The model of its parameters: a Pydantic model, or any class with `model_validate()`.
        watches: Pairs of apiVersion and kind, or objects as apiVersion, kind, namespace (empty: the Plan's own) and
            name. The operator asks the plan again when one that it owns changes. `Whole(apiVersion, kind)` also lets
            reads be `cached`. May be an attribute of the class.
        teardown: Returns the tasks that undo the plan, for a function; a class has a method `teardown()`.
        stuck_after: How long a plan may ask for the same work before its Plan is stalled: seconds, a `timedelta` or
            text such as `"10m"`; None means for ever. Default: 5 minutes and 20 runs. Also as an attribute.
        **unknown: Refused, with the argument that was meant.

    Raises:
        TypeError: An argument is not what it should be, or an attribute of the class is a misspelt one.
        ValueError: The name has other characters.

    >>> @plan("greet-everybody", stuck_after="10m")
    ... def greet_everybody():
    ...     return []

    """
    declared = _given(name, unknown, watches=watches, teardown=teardown, stuck_after=stuck_after)
    if isinstance(name, str):
        check_plan_name(name)
        return lambda target: _define(target, name, parameters, declared)
    return _define(name, _name_of(name), parameters, declared)


def _given(name: Any, unknown: dict[str, Any], **declarations: Any) -> dict[str, Any]:
    if unknown:
        raise TypeError(f"@plan({name!r}): {_no_such(next(iter(unknown)), ('parameters', *_DECLARATIONS))}")
    return {name: value for name, value in declarations.items() if value is not _UNSET}


def _name_of(function: Any) -> str:
    """Return the plan's name that `@plan` alone takes from a function or a class."""
    if not callable(function):
        raise TypeError(f"a plan's name must be a string, not {function!r}")
    name: str = function.__name__
    return name.strip("_").replace("_", "-").lower()


def check_plan_name(name: object) -> str:
    """Return the name. Raises TypeError or ValueError, which say what a name may be."""
    if not isinstance(name, str):
        raise TypeError(f"a plan's name must be a string, not {name!r}")
    if len(name) > 253 or not _NAME.fullmatch(name):  # noqa: PLR2004 - Kubernetes' own limit for such names
        raise ValueError(f"the plan name {name!r} must be {PLAN_NAME}")
    return name


def _define(target: Any, name: str, parameters: Any, declared: dict[str, Any]) -> Any:
    where = f"@plan({name!r})"
    if parameters is not None and not callable(getattr(parameters, "model_validate", None)):
        raise TypeError(f"{where}: parameters must be a class with model_validate(), not {parameters!r}")
    if inspect.isclass(target):
        factory: Any = _class(target, where, declared)
        create, teardown = factory.create, getattr(target, "teardown", None)
        found = [] if target.__init__ is object.__init__ else _positional(target.__init__, 1)
    elif callable(target):
        create, teardown, factory = target, declared.get("teardown"), PlanFunction(target, declared)
        found = _positional(target, 0)
    else:
        raise TypeError(f"@plan decorates a class or a function, not {target!r}")
    if teardown is not None and not callable(teardown):
        raise TypeError(f"{where}: teardown must be callable, not {teardown!r}")
    takes = tuple(found) if found == ["context"] else ARGUMENTS[: len(found)]
    runs, limit = _stuck_after(target, declared, where)
    factory.__execloop_plan__ = Definition(
        name=check_plan_name(name),
        parameters=parameters,
        factory=factory,
        origin=f"{target.__module__}:{target.__qualname__}",
        module=target.__module__,
        asynchronous=inspect.iscoroutinefunction(create),
        teardown=teardown is not None,
        teardown_asynchronous=inspect.iscoroutinefunction(teardown),
        same_work_runs=runs,
        same_work_seconds=limit,
        takes=takes,
        reads_when_made=getattr(target, "_reads_when_made", False),
        unchecked=parameters is None and "parameters" in takes and not found[0].startswith("_"),
    )
    return factory


def _class(target: Any, where: str, declared: dict[str, Any]) -> Any:
    if not callable(getattr(target, "create", None)):
        raise TypeError(f"{where}: the class {target.__qualname__} needs a method create()")
    if "teardown" in declared:
        raise TypeError(f"{where}: the class {target.__qualname__} has its teardown as a method teardown()")
    for attribute in (name for base in target.__mro__[:-1] for name in vars(base) if not name.startswith("_")):
        looks_like = difflib.get_close_matches(attribute, _ATTRIBUTES, n=1, cutoff=_LIKENESS)
        if looks_like and attribute not in _ATTRIBUTES:
            raise TypeError(f"{where}: the class {target.__qualname__}: {_no_such(attribute, _ATTRIBUTES)}")
    if "watches" in declared:
        target.watches = declared["watches"]
    return target


def _no_such(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no declaration {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}")


def _stuck_after(target: Any, declared: dict[str, Any], where: str) -> tuple[int | None, float | None]:
    """Return after how many runs, and after how many seconds, the same work is too much."""
    runs = getattr(target, "same_work_runs", SAME_WORK_RUNS)
    limit = getattr(target, "same_work_seconds", SAME_WORK_SECONDS)
    value = declared.get("stuck_after", getattr(target, "stuck_after", _UNSET))
    if value is _UNSET:
        return runs, limit
    if value is None:
        return None, None
    try:
        return runs, parse_duration(value) if isinstance(value, str) else seconds("stuck_after", value, zero=True)
    except (TypeError, ValueError) as error:
        message = f"{where}: {error}" if not isinstance(value, str) else f"{where}: stuck_after {error}, not {value!r}"
        raise TypeError(message) from None


def _positional(function: Callable[..., Any], bound: int) -> list[str]:
    """Return the names of the arguments, at most two, that stand for (parameters, context)."""
    found = list(inspect.signature(function).parameters.values())[bound:]
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        return list(ARGUMENTS)
    positional = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if sum(p.default is p.empty for p in positional) > len(ARGUMENTS):
        raise TypeError(f"a plan takes at most (parameters, context); {function.__qualname__} takes {len(positional)}")
    return [p.name for p in positional[: len(ARGUMENTS)]]
