"""A named plan, as `@plan` describes it: its model, and how to make it.

`decorator` writes a `Definition`; the registry, the command and the operator read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import InvalidParameters, ParameterProblem
from execloop._plans.context import Context
from execloop._plans.parameters.code_free import is_code_free
from execloop._plans.parameters.validation import EXTRA, declared, fitted, validate, validate_leniently

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.plan import Plan

__all__ = ["ARGUMENTS", "PLANS", "SAME_WORK_RUNS", "SAME_WORK_SECONDS", "Definition", "definition_of"]

ARGUMENTS = ("parameters", "context")
PLANS = "plans"
"""The key in the context of a validator."""
SAME_WORK_RUNS = 20
SAME_WORK_SECONDS = 300.0


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
    same_work_runs: int | None = SAME_WORK_RUNS
    same_work_seconds: float | None = SAME_WORK_SECONDS
    """After so many runs and seconds with the same work the operator says that it does not converge; None: never."""
    takes: tuple[str, ...] = ARGUMENTS
    """Which of `parameters` and `context` the factory is called with."""
    reads_when_made: bool = False
    """Whether its constructor may block: a built-in plan that reads files there has `_reads_when_made`."""
    unchecked: bool = False
    """Whether the plan takes its parameters as a raw mapping, which nothing checks."""

    @property
    def declared(self) -> frozenset[str] | None:
        """The names that its parameters may have; None when any will do."""
        if self.parameters is None:
            return None if self.unchecked else frozenset()
        return declared(self.parameters)

    def declares(self, name: str) -> bool:
        """Return whether a parameter may have this name."""
        return self.declared is None or name in self.declared

    @property
    def quick(self) -> bool:
        """Whether neither its model nor its constructor can block: an async plan is then prepared in no thread."""
        return not self.reads_when_made and is_code_free(self.parameters)

    def parse(
        self, raw: dict[str, Any], *, lenient: bool = False, plans: Callable[[str], Definition] | None = None
    ) -> Any:
        """Return the parameters as the plan wants them.

        Args:
            raw: Parameters by name. One that the model does not declare is an error, at any depth, unless the model
                sets `extra` itself. A plan without a model takes none, or any when it has an argument for them.
            lenient: Leave out what is not declared, as a teardown does: it must not be blocked by it.
            plans: Other plans by name, as `Context.plans`: then a plan of plans checks the parameters of each.

        Raises:
            InvalidParameters: With field paths and rules, never values.

        """
        if self.parameters is not None:
            check = validate_leniently if lenient else validate
            return check(self.parameters, raw, {PLANS: plans})
        if self.unchecked:
            return raw
        if raw and not lenient:
            message = f"the plan {self.name!r} takes no parameters"
            raise InvalidParameters.of(ParameterProblem((str(name),), message, EXTRA) for name in raw)
        return {}

    def fit(self, raw: dict[str, Any]) -> Any:
        """Return what `parse` returns, quickly. Raises ValueError, which does not say why, where something is wrong."""
        if self.parameters is not None:
            return fitted(self.parameters, raw)
        if raw and not self.unchecked:
            raise ValueError(self.name)
        return raw if self.unchecked else {}

    def make(self, parameters: Any = None, context: Context | None = None) -> Plan:
        """Return the plan, made from parameters that `parse` returned."""
        given = {"parameters": parameters, "context": context or Context(self.name)}
        return self.factory(*(given[name] for name in self.takes))


def definition_of(candidate: object) -> Definition | None:
    """Return the definition that `@plan` left on a class or a function; None on anything else, subclasses included."""
    found = vars(candidate).get("__execloop_plan__") if hasattr(candidate, "__dict__") else None
    return found if isinstance(found, Definition) else None
