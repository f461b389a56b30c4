"""Parameters from ConfigMaps and Secrets: read on the Plan's behalf at each reconcile, kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.controller.parameters.fingerprint import fingerprint
from execloop.controller.parameters.merge import InvalidSource, Source, merge
from execloop.controller.plancode.redaction import Redactor
from execloop.controller.reconcile.context import Resolved
from execloop.controller.reconcile.validation import Validated, parse
from execloop.controller.status.conditions import Retrying, Stalled
from execloop.controller.watch.references import Reference
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.controller.parameters.policy import SecretsPolicy
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.watch.cache import Key, PlanState

__all__ = ["ParameterSources"]

_FORBIDDEN = 403
_OPEN = Redactor()


class ParameterSources:
    def __init__(self, clients: Clients, policy: SecretsPolicy) -> None:
        self._clients, self._policy = clients, policy

    def of(self, key: Key, validated: Validated) -> tuple[Reference, ...]:
        return tuple(Reference("v1", one.kind, key.namespace, one.name) for one in validated.spec.parameters_from)

    async def resolve(self, key: Key, track: PlanState, validated: Validated) -> Resolved | Retrying | Stalled:
        """Raises ApiError."""
        if validated.inputs:
            return Resolved(validated.parameters, validated.inputs, _OPEN)
        if (refusal := await self._refusal(validated)) is not None:
            return refusal
        sources = await self._read(key, track, validated)
        return sources if isinstance(sources, Retrying) else self._taken(sources, track, validated)

    async def _read(self, key: Key, track: PlanState, validated: Validated) -> list[Source] | Retrying:
        kube = self._clients.kube(key, track.uid, validated.account)
        sources = []
        for one in validated.spec.parameters_from:
            try:
                sources.append(Source(one, await kube.get("v1", one.kind, one.name)))
            except ApiError as error:
                if error.status != _FORBIDDEN:
                    raise
                message = f"{one.kind} {key.namespace}/{one.name} may not be read: {error.message}"
                return Retrying("ParametersNotFound", message)
        return sources

    def _taken(
        self, sources: Sequence[Source], track: PlanState, validated: Validated
    ) -> Resolved | Retrying | Stalled:
        try:
            merged = merge(sources, validated.spec.parameters)
        except InvalidSource as error:
            return Stalled("InvalidParameters", str(error))
        if merged.missing:
            return Retrying("ParametersNotFound", f"not there: {', '.join(merged.missing)}")
        redactor = Redactor(merged.secrets)
        parameters = parse(validated.definition, merged.parameters, redactor)
        track.versions = merged.versions
        if isinstance(parameters, Stalled):
            return parameters
        return Resolved(parameters, fingerprint(validated.spec, validated.code_version, merged.versions), redactor)

    async def _refusal(self, validated: Validated) -> Stalled | None:
        """Whether nothing says that who named a Secret may read it. Raises ApiError."""
        named = [(index, one.name) for index, one in enumerate(validated.spec.parameters_from) if one.kind == "Secret"]
        if not named or validated.account is not None or await self._policy.in_force():
            return None
        index, name = named[0]
        return Stalled(
            "AccessDenied",
            f"spec.parametersFrom[{index}]: the Secret {name!r} is not read, because no policy of this cluster checks"
            " that the author of the Plan may read it: set spec.serviceAccountName, or have an administrator apply"
            " crds/secrets.yaml",
        )
