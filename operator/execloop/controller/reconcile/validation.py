"""Whether a Plan may run at all: its spec, its plan, what the administrator allows, its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from execloop._engine.errors import AmbiguousPlan, InvalidParameters, UnknownPlan
from execloop._engine.options import Options
from execloop.controller.access import Access
from execloop.controller.api.v1alpha1 import PlanSpec, describe
from execloop.controller.api.violations import describe_closed
from execloop.controller.parameters.declared import declared_names
from execloop.controller.parameters.fingerprint import fingerprint
from execloop.controller.status.conditions import Stalled

if TYPE_CHECKING:
    from execloop._plans.definition import Definition
    from execloop._plans.registry import Registry
    from execloop.controller.watch.cache import PlanState
    from execloop.kube.objects.reach import Reach

__all__ = ["Validated", "Validator", "parse", "validate"]

_OPEN = Access()
_BUILT_IN = "execloop.library."


@dataclass(frozen=True, slots=True)
class Validated:
    """What the spec alone decides."""

    spec: PlanSpec
    definition: Definition
    code_version: str
    account: str | None
    """The service account, in the Plan's namespace, that it acts as."""
    options: Options
    reach: Reach | None = None
    """What its clients may touch; None: whatever the account, or the operator, may."""
    parameters: Any = None
    """As the plan's own model made them; None until their sources were read."""
    inputs: str = ""
    """The fingerprint; empty until the sources of the parameters were read."""


class Validator:
    """Each Plan's, decided once a generation: a spec cannot change within one."""

    def __init__(self, registry: Registry, access: Access) -> None:
        self._registry, self._access = registry, access

    def of(self, track: PlanState) -> Validated | Stalled:
        if track.validation_result is None or track.validation_result[0] != track.generation:
            track.validation_result = track.generation, self._validate(track)
        return track.validation_result[1]

    def inputs(self, track: PlanState, validated: Validated) -> str:
        """The fingerprint of what is known now, sources as they were read last."""
        return validated.inputs or fingerprint(validated.spec, validated.code_version, track.versions)

    def outdated(self, track: PlanState, inputs: str) -> bool:
        """Whether work that rests on these inputs has been overtaken."""
        now = self.of(track)
        return isinstance(now, Stalled) or self.inputs(track, now) != inputs

    def _validate(self, track: PlanState) -> Validated | Stalled:
        applied = track.deleting and track.status.execution is not None
        spec, namespace = track.object.get("spec"), track.metadata["namespace"]
        return validate(spec, self._registry, self._access, namespace, applied=applied)


def validate(  # noqa: PLR0911 - one return for each reason
    raw: object, registry: Registry, access: Access = _OPEN, namespace: str = "", *, applied: bool = False
) -> Validated | Stalled:
    """The spec as the API server holds it, in whatever state.

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
    if spec.parameters_from:
        return Validated(spec, definition, version, account, _options(spec), reach)
    parameters = parse(definition, spec.parameters)
    if isinstance(parameters, Stalled):
        return parameters
    inputs = fingerprint(spec, version)
    return Validated(spec, definition, version, account, _options(spec), reach, parameters, inputs)


def parse(definition: Definition, raw: dict[str, Any], *, closed: bool = False) -> Any | Stalled:
    """The parameters as the plan's own model makes them. `closed`: an error says field and rule, and no word more."""
    try:
        return definition.parse(raw)
    except InvalidParameters as error:
        names = declared_names(definition.parameters)
        return Stalled("InvalidParameters", describe_closed(error.problems, names) if closed else str(error))
    except Exception as error:  # noqa: BLE001 - a validator of the plan's author
        message = f"parameters: the model of {definition.name!r} raised {type(error).__name__}"
        return Stalled("InvalidParameters", message)


def _options(spec: PlanSpec) -> Options:
    return Options(
        sleep_between_runs=spec.sleep_between_runs,
        errors_to_tolerate=None if spec.errors_to_tolerate < 0 else spec.errors_to_tolerate,
        execution_timeout=spec.execution_timeout or None,
        parallelism=spec.parallelism,
    )
