"""How a plan gets a name: `@plan`, and the definition that it leaves."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from execloop._engine.errors import InvalidParameters
from execloop._plans.context import Context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FunctionType

    from execloop._engine.plan import Plan
    from execloop._engine.tasks import Children

__all__ = ["PLAN_NAME", "Definition", "PlanFunction", "definition_of", "plan"]

C = TypeVar("C", bound=type)
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}([.]{_LABEL})*")
PLAN_NAME = (
    "lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit, at most 253"
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A named plan: how to make one from parameters and a context."""

    name: str
    parameters: Any
    """A class with `model_validate`, such as a Pydantic model; None when parameters reach the plan as they are."""
    factory: Callable[..., Plan]
    origin: str
    module: str
    asynchronous: bool
    teardown: bool
    teardown_asynchronous: bool = False
    same_work_runs: int | None = 20
    same_work_seconds: float | None = 300.0
    _arity: int = 2

    def parse(self, raw: dict[str, Any]) -> Any:
        """The parameters as the plan wants them; raises InvalidParameters with field paths and rules, never values."""
        if self._arity == 0 and raw:
            raise InvalidParameters(f"parameters: the plan {self.name!r} takes none")
        if self.parameters is None:
            return raw
        try:
            return self.parameters.model_validate(raw)
        except ValueError as error:
            raise InvalidParameters(_explain(error)) from None

    def make(self, parameters: Any = None, context: Context | None = None) -> Plan:
        """The plan, from parameters that `parse` returned."""
        return self.factory(*(parameters, context or Context(self.name))[: self._arity])


def _explain(error: ValueError) -> str:
    """Pydantic's errors as `parameters.a.0.b: rule`, without the values, which may be secret."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return f"parameters: {type(error).__name__}"
    found = errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(('parameters', *map(str, item['loc'])))}: {item['msg']}" for item in found)


class PlanFunction:
    """A function that returns tasks, as a plan: calling it with (parameters, context) makes the plan."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.__execloop_plan__: Definition

    def __call__(self, *args: Any) -> Plan:
        kind = _AsyncFunctionPlan if inspect.iscoroutinefunction(self.function) else _FunctionPlan
        return kind(self.__execloop_plan__.name, self.function, args)

    def create(self) -> Children | Awaitable[Children]:
        """So that a function without parameters is a plan as it stands."""
        return self().create()

    def __repr__(self) -> str:
        return f"<plan {self.__name__}>"


class _FunctionPlan:
    def __init__(self, name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.name, self._function, self._args = name, function, args

    def create(self) -> Children:
        return cast("Children", self._function(*self._args))


class _AsyncFunctionPlan(_FunctionPlan):
    async def create(self) -> Children:  # type: ignore[override]  # what Plan allows: sync or async
        return cast("Children", await self._function(*self._args))


_ARGUMENTS = ("parameters", "context")


def _arity(function: Callable[..., Any], bound: int) -> int:
    """How many of (parameters, context) it takes."""
    found = list(inspect.signature(function).parameters.values())[bound:]
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        return len(_ARGUMENTS)
    positional = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if sum(p.default is p.empty for p in positional) > len(_ARGUMENTS):
        raise TypeError(f"a plan takes at most (parameters, context); {function.__qualname__} takes {len(positional)}")
    return min(len(positional), len(_ARGUMENTS))


def check_plan_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a plan's name must be a string, not {name!r}")
    if len(name) > 253 or not _NAME.fullmatch(name):  # noqa: PLR2004 - Kubernetes' own limit for such names
        raise ValueError(f"the plan name {name!r} must be {PLAN_NAME}")
    return name


def _define(target: Any, name: str, parameters: Any) -> Any:
    if parameters is not None and not callable(getattr(parameters, "model_validate", None)):
        raise TypeError(f"@plan({name!r}): parameters must be a class with model_validate(), not {parameters!r}")
    factory: Any
    if inspect.isclass(target):
        create, factory = getattr(target, "create", None), target
        if not callable(create):
            raise TypeError(f"@plan({name!r}): the class {target.__qualname__} needs a method create()")
        arity = 0 if target.__init__ is object.__init__ else _arity(target.__init__, 1)
    elif callable(target):
        create, factory = target, PlanFunction(target)
        arity = _arity(target, 0)
    else:
        raise TypeError(f"@plan decorates a class or a function, not {target!r}")
    factory.__execloop_plan__ = Definition(
        name=check_plan_name(name),
        parameters=parameters,
        factory=factory,
        origin=f"{target.__module__}:{target.__qualname__}",
        module=target.__module__,
        asynchronous=inspect.iscoroutinefunction(create),
        teardown=callable(getattr(target, "teardown", None)),
        teardown_asynchronous=inspect.iscoroutinefunction(getattr(target, "teardown", None)),
        same_work_runs=getattr(target, "same_work_runs", 20),
        same_work_seconds=getattr(target, "same_work_seconds", 300.0),
        _arity=arity,
    )
    return factory


@overload
def plan(function: FunctionType, /) -> PlanFunction: ...
@overload
def plan(name: str, /, *, parameters: Any = None) -> Callable[[Any], Any]: ...
@overload
def plan(target: C, /) -> C: ...
def plan(name: Any, /, *, parameters: Any = None) -> Any:
    """Name a plan: `@plan("name", parameters=Model)` above a class or a function `(parameters, context) -> tasks`.

    The class is made with `(parameters, context)`, has `create()` and may have `teardown()`. Fewer arguments are fine.
    `@plan` alone takes the name from the function, with dashes.
    """
    if isinstance(name, str):
        check_plan_name(name)
        return lambda target: _define(target, name, parameters)
    if not callable(name):
        raise TypeError(f"a plan's name must be a string, not {name!r}")
    return _define(name, name.__name__.strip("_").replace("_", "-").lower(), parameters)


def definition_of(candidate: object) -> Definition | None:
    """The definition that `@plan` left on a class or a function; None on anything else, subclasses included."""
    found = vars(candidate).get("__execloop_plan__") if hasattr(candidate, "__dict__") else None
    return found if isinstance(found, Definition) else None
