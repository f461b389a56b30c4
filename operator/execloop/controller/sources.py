"""Parameters from ConfigMaps and Secrets: read on the Plan's behalf at each reconcile, kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.controller.admit import Admitted, parse
from execloop.controller.case import Resolved
from execloop.controller.inputs import fingerprint
from execloop.controller.parameters import InvalidSource, Source, merge
from execloop.controller.redact import Redactor
from execloop.controller.references import Reference
from execloop.controller.status import Retrying, Stalled
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.clients import Clients
    from execloop.controller.track import Key, Track

__all__ = ["Sources"]

_FORBIDDEN = 403
_OPEN = Redactor()


class Sources:
    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of(self, key: Key, admitted: Admitted) -> tuple[Reference, ...]:
        return tuple(Reference("v1", one.kind, key.namespace, one.name) for one in admitted.spec.parameters_from)

    async def resolve(self, key: Key, track: Track, admitted: Admitted) -> Resolved | Retrying | Stalled:
        """Raises ApiError."""
        if admitted.inputs:
            return Resolved(admitted.parameters, admitted.inputs, _OPEN)
        kube = self._clients.kube(key, track.uid, admitted.account)
        sources = []
        for one in admitted.spec.parameters_from:
            try:
                sources.append(Source(one, await kube.get("v1", one.kind, one.name)))
            except ApiError as error:
                if error.status != _FORBIDDEN:
                    raise
                message = f"{one.kind} {key.namespace}/{one.name} may not be read: {error.message}"
                return Retrying("ParametersNotFound", message)
        try:
            merged = merge(sources, admitted.spec.parameters)
        except InvalidSource as error:
            return Stalled("InvalidParameters", str(error))
        if merged.missing:
            return Retrying("ParametersNotFound", f"not there: {', '.join(merged.missing)}")
        redactor = Redactor(merged.secrets)
        parameters = parse(admitted.definition, merged.parameters, redactor)
        track.versions = merged.versions
        if isinstance(parameters, Stalled):
            return parameters
        return Resolved(parameters, fingerprint(admitted.spec, admitted.code_version, merged.versions), redactor)
