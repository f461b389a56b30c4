"""Whether a Plan may run at all: its spec, its plan, its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from execloop.controller.inputs import fingerprint
from execloop.controller.resource import PlanSpec, describe
from execloop.controller.status import Stalled
from execloop.errors import AmbiguousPlan, InvalidParameters, UnknownPlan
from execloop.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.plans import Definition
    from execloop.registry import Registry

__all__ = ["Admitted", "admit"]

_UNSUPPORTED: Final[dict[str, Callable[[PlanSpec], bool]]] = {
    "mode": lambda spec: spec.mode != "Reconcile",
    "approval": lambda spec: spec.approval != "Automatic",
    "dependsOn": lambda spec: bool(spec.depends_on),
    "parametersFrom": lambda spec: bool(spec.parameters_from),
    "serviceAccountName": lambda spec: spec.service_account_name is not None,
    "deletionPolicy": lambda spec: spec.deletion_policy != "Orphan",
    "ttlAfterFinished": lambda spec: spec.ttl_after_finished is not None,
    "parallelism": lambda spec: spec.parallelism != 1,
}


@dataclass(frozen=True, slots=True)
class Admitted:
    spec: PlanSpec
    definition: Definition
    parameters: Any
    """As the plan's own model made them."""
    inputs: str
    options: Options


def admit(raw: object, registry: Registry) -> Admitted | Stalled:
    try:
        spec = PlanSpec.model_validate(raw)
    except ValidationError as error:
        return Stalled("InvalidSpec", describe(error))
    if used := [field for field, uses in _UNSUPPORTED.items() if uses(spec)]:
        fields = ", ".join(f"spec.{field}" for field in used)
        return Stalled("NotSupported", f"this version of the operator does not support {fields} as given")
    try:
        registered = registry.get(spec.plan)
        parameters = registered.definition.parse(spec.parameters)
    except (UnknownPlan, AmbiguousPlan) as error:
        return Stalled("UnknownPlan", str(error))
    except InvalidParameters as error:
        return Stalled("InvalidParameters", str(error))
    except Exception as error:  # noqa: BLE001 - a validator of the plan's author
        return Stalled("InvalidParameters", f"parameters: the model of {spec.plan!r} raised {type(error).__name__}")
    return Admitted(spec, registered.definition, parameters, fingerprint(spec, registered.version), _options(spec))


def _options(spec: PlanSpec) -> Options:
    return Options(
        sleep_between_runs=spec.sleep_between_runs,
        errors_to_tolerate=None if spec.errors_to_tolerate < 0 else spec.errors_to_tolerate,
        execution_timeout=spec.execution_timeout or None,
        parallelism=spec.parallelism,
    )
