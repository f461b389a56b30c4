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
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.watch.cache import Key, PlanState

__all__ = ["ParameterSources"]

_FORBIDDEN = 403
_OPEN = Redactor()


class ParameterSources:
    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of(self, key: Key, validated: Validated) -> tuple[Reference, ...]:
        return tuple(Reference("v1", one.kind, key.namespace, one.name) for one in validated.spec.parameters_from)

    async def resolve(self, key: Key, track: PlanState, validated: Validated) -> Resolved | Retrying | Stalled:
        """Raises ApiError."""
        if validated.inputs:
            return Resolved(validated.parameters, validated.inputs, _OPEN)
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
