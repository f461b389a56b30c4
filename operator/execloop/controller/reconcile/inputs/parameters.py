"""Parameters from ConfigMaps and Secrets: read on the Plan's behalf at each reconcile.

Beside a Secret no message may say whether a guess was right: errors of the parameters say field and rule,
and what an author chose who need not be allowed to read the Secret is taken out of messages as the Secret's values are.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from execloop.controller.parameters.declared import declared_names
from execloop.controller.parameters.merge import InvalidSource, Merged, ParameterSource, merge, size
from execloop.controller.parameters.reading import SourceReader
from execloop.controller.plancode.redaction.redactor import Redactor, leaves, names
from execloop.controller.reconcile.context import Resolved
from execloop.controller.status.conditions import Retrying, Stalled
from execloop.controller.watch.references import Reference
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.controller.api.v1alpha1 import PlanSpec
    from execloop.controller.parameters.policy import SecretsPolicy
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.reconcile.inputs.validation import Validated
    from execloop.controller.watch.snapshot import Key, Snapshot

__all__ = ["ParameterSources"]

_OPEN = Redactor()


class ParameterSources:
    def __init__(self, clients: Clients, policy: SecretsPolicy) -> None:
        self._clients, self._policy, self._reading = clients, policy, SourceReader()

    def of(self, key: Key, validated: Validated) -> tuple[Reference, ...]:
        return tuple(Reference("v1", one.kind, key.namespace, one.name) for one in validated.spec.parameters_from)

    async def resolve(self, snapshot: Snapshot, validated: Validated) -> Resolved | Retrying | Stalled:
        """Read and merge all sources. Raises ApiError."""
        if not validated.spec.parameters_from:
            return Resolved(validated.spec.parameters, validated.fingerprint, _OPEN)
        secret = any(one.kind == "Secret" for one in validated.spec.parameters_from)
        guarded = secret and await self._policy.in_force()
        if secret and not guarded and validated.account is None:
            return _unguarded(validated.spec)
        sources = await self._read(snapshot, validated)
        if isinstance(sources, Retrying):
            return sources
        try:
            found = await self._reading.run(partial(self._merge, sources, validated, guarded), size(sources))
        except InvalidSource as error:
            return Stalled("InvalidParameters", str(error))
        return _resolved(*found, validated)

    async def _read(self, snapshot: Snapshot, validated: Validated) -> list[ParameterSource] | Retrying:
        key = snapshot.key
        kube = self._clients.kube(key, snapshot.uid, validated.account)
        sources = []
        for one in validated.spec.parameters_from:
            try:
                sources.append(ParameterSource(one, await kube.get("v1", one.kind, one.name)))
            except ApiError as error:
                if not error.forbidden:
                    raise
                message = f"{one.kind} {key.namespace}/{one.name} may not be read: {error.message}"
                return Retrying("ParametersNotFound", message, unreported=True)
        return sources

    def _merge(
        self, sources: Sequence[ParameterSource], validated: Validated, guarded: bool
    ) -> tuple[Merged, Redactor]:
        """Not on the event loop when it is much. Raises InvalidSource."""
        inline, public = validated.spec.parameters, declared_names(validated.definition.parameters)
        merged = merge(sources, inline, self._reading, public, validated.definition.declares)
        if all(source.reference.kind != "Secret" for source in sources):
            return merged, _OPEN
        unchecked = () if guarded else (*leaves(inline), *names(inline, public))
        return merged, Redactor(merged.secrets, (*merged.others, *unchecked))


def _resolved(merged: Merged, redactor: Redactor, validated: Validated) -> Resolved | Retrying:
    if merged.missing:
        return Retrying("ParametersNotFound", f"waits for {', '.join(merged.missing)} (not found)")
    secrets = hashlib.sha256("\0".join(merged.secrets).encode("utf-8", "surrogatepass")).digest()
    inputs, closed = validated.inputs(merged.versions), redactor is not _OPEN
    return Resolved(merged.parameters, inputs, redactor, merged.versions, secrets, merged.absent, closed=closed)


def _unguarded(spec: PlanSpec) -> Stalled:
    """Nothing says that who named a Secret may read it."""
    index, name = next((index, one.name) for index, one in enumerate(spec.parameters_from) if one.kind == "Secret")
    return Stalled(
        "AccessDenied",
        f"spec.parametersFrom[{index}]: the Secret {name!r} is not read, because no policy of this cluster checks"
        " that the author of the Plan may read it: set spec.serviceAccountName, or have an administrator apply"
        " crds/secrets.yaml",
    )
