"""Whether a Plan may run at all: its spec, its plan, and what the administrator allows. No plan code runs here.

`Reconciler` and `Teardown` ask it first; the result is kept for the generation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from pydantic import ValidationError

from execloop._engine.errors import AmbiguousPlan, PlanError, UnknownPlan
from execloop._engine.options import Options
from execloop._plans.limits import Limits
from execloop.controller.access import Access
from execloop.controller.api.v1alpha1 import PlanSpec, describe
from execloop.controller.api.violations import describe_closed
from execloop.controller.parameters.declared import declared_names
from execloop.controller.parameters.fingerprint import fingerprint
from execloop.controller.status.conditions import Stalled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execloop._engine.errors import InvalidParameters
    from execloop._plans.definition import Definition
    from execloop._plans.registry import Registry
    from execloop.controller.parameters.merge import Version
    from execloop.controller.watch.cache import PlanState
    from execloop.controller.watch.snapshot import Snapshot
    from execloop.kube.objects.reach import Reach

__all__ = ["Validated", "Validator", "explain", "validate"]

_OPEN = Access()
_BUILT_IN = "execloop.library."


def _none(name: str) -> NoReturn:
    raise UnknownPlan(f"there is no plan {name!r}")


@dataclass(frozen=True, slots=True)
class Validated:
    """What the spec alone decides."""

    spec: PlanSpec
    definition: Definition
    code_version: str
    account: str | None
    """The service account, in the Plan's namespace, that it acts as."""
    options: Options
    fingerprint: str
    """That of the spec and the code, without the objects that the parameters come from."""
    reach: Reach | None = None
    """What its clients may touch; None: whatever the account, or the operator, may."""
    limits: Limits = field(default_factory=Limits)
    plans: Callable[[str], Definition] = field(default=_none, repr=False, compare=False)
    """Other plans by name, as this Plan may use them. Raises PlanError."""

    def inputs(self, versions: Sequence[Version]) -> str:
        """Return the fingerprint with the objects that the parameters come from at these versions."""
        return fingerprint(self.spec, self.code_version, versions) if versions else self.fingerprint


class Validator:
    """Keeps the result of each Plan for its generation: a spec cannot change within one."""

    def __init__(self, registry: Registry, access: Access) -> None:
        self._registry, self._access = registry, access

    def of(self, state: PlanState, snapshot: Snapshot) -> Validated | Stalled:
        """Return what a snapshot's spec comes to; the Plan's state keeps it."""
        kept: tuple[int, Validated | Stalled] | None = state.validation
        if kept is None or kept[0] != snapshot.generation:
            applied = snapshot.deleting and snapshot.execution is not None
            found = validate(snapshot.spec, self._registry, self._access, snapshot.key.namespace, applied=applied)
            kept = state.validation = snapshot.generation, found
        return kept[1]


def validate(
    raw: object, registry: Registry, access: Access = _OPEN, namespace: str = "", *, applied: bool = False
) -> Validated | Stalled:
    """Validate a spec as the API server holds it, in whatever state.

    `applied`: the Plan is being deleted, and has worked before. What it made then may be undone without a service
    account; a built-in plan undoes only what carries its Plan's uid.
    """
    try:
        spec = PlanSpec.model_validate(raw)
        registered = registry.get(spec.plan)
    except ValidationError as error:
        return Stalled("InvalidSpec", describe(error))
    except (UnknownPlan, AmbiguousPlan) as error:
        return Stalled("UnknownPlan", str(error))
    if refusal := access.refusal(namespace, spec, applied=applied):
        return Stalled("AccessDenied", refusal)
    if spec.deletion_policy == "Teardown" and not registered.definition.teardown:
        return Stalled("NotSupported", f"deletionPolicy Teardown: the plan {spec.plan!r} has no teardown()")
    definition, version, account = registered.definition, registered.version, access.account(spec)
    built_in = definition.module.startswith(_BUILT_IN)
    reach = access.reach(namespace, spec) if built_in and not applied else None
    included = partial(_included, registry=registry, access=access, namespace=namespace, spec=spec, applied=applied)
    return Validated(
        spec, definition, version, account, _options(spec), fingerprint(spec, version), reach, access.limits, included
    )


def _included(
    name: str, *, registry: Registry, access: Access, namespace: str, spec: PlanSpec, applied: bool
) -> Definition:
    """Return a plan that this one includes: it may be used where a Plan of its own of that name could be."""
    found = registry.get(name).definition
    if refusal := access.refusal(namespace, spec.model_copy(update={"plan": name}), applied=applied):
        raise PlanError(refusal)
    return found


def _options(spec: PlanSpec) -> Options:
    return Options(
        sleep_between_runs=spec.sleep_between_runs,
        errors_to_tolerate=None if spec.errors_to_tolerate < 0 else spec.errors_to_tolerate,
        execution_timeout=spec.execution_timeout or None,
        parallelism=spec.parallelism,
    )


def explain(definition: Definition, error: InvalidParameters, *, closed: bool) -> str:
    """Return why the plan's model refuses the parameters; `closed`: field and rule, and no word more."""
    return describe_closed(error.problems, declared_names(definition.parameters)) if closed else str(error)
