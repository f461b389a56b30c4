"""Whether what a Plan depends on is ready, by the rules that `kubectl` and GitOps tools use.

`Reconciler` asks before an execution begins.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.controller.status.conditions import Retrying
from execloop.controller.watch.cache import Key
from execloop.controller.watch.references import Reference
from execloop.kube import ApiError, kstatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.controller.api.v1alpha1 import DependsOn
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.reconcile.inputs.validation import Validated
    from execloop.controller.watch.cache import Cache
    from execloop.controller.watch.snapshot import Snapshot

__all__ = ["UNMET", "Dependencies"]

UNMET = frozenset({"ServiceAccountNotFound", "DependencyCycle", "DependencyNotReady"})
"""The reasons for which an execution may not begin yet."""

_NAMED = 5
_LOOKED_AT = 1000
"""Plans; a longer cycle is not named, and its Plans wait with `DependencyNotReady`."""
_ABSENT = frozenset({"NoSuchKind", "NotFound"})


class _Why(NamedTuple):
    """Why a dependency is not met."""

    text: str
    forbidden: bool = False


class Dependencies:
    def __init__(self, clients: Clients, cache: Cache) -> None:
        self._clients, self._cache = clients, cache

    def of(self, key: Key, validated: Validated) -> tuple[Reference, ...]:
        return tuple(_reference(key, one) for one in validated.spec.depends_on)

    async def unmet(self, snapshot: Snapshot, validated: Validated) -> Retrying | None:
        """Return what an execution has to wait for; None when it may begin. Raises ApiError."""
        key = snapshot.key
        if validated.account and not await self._clients.has_account(key.namespace, validated.account):
            account = f"{key.namespace}/{validated.account}"
            message = f"waits for ServiceAccount {account} (not found)"
            return Retrying("ServiceAccountNotFound", message, unreported=True)
        if not validated.spec.depends_on:
            return None
        if cycle := self._cycle(key):
            return Retrying("DependencyCycle", "these Plans wait for one another: " + " -> ".join(map(str, cycle)))
        waits = [why for one in self.of(key, validated) if (why := await self._why_not(snapshot, validated, one))]
        if not waits:
            return None
        more = f" and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
        message = "; ".join(why.text for why in waits[:_NAMED]) + more
        return Retrying("DependencyNotReady", message, unreported=any(why.forbidden for why in waits))

    async def _why_not(self, snapshot: Snapshot, validated: Validated, one: Reference) -> _Why | None:
        known = None
        if _is_plan(one) and validated.account is None:  # an account may see less than the operator
            known = self._cache.get(Key(one.namespace, one.name))
        found: dict[str, Any] | None
        if known is not None:
            found = known.snapshot.as_object()
        else:
            kube = self._clients.kube(snapshot.key, snapshot.uid, validated.account)
            try:
                found = await kube.get(one.api_version, one.kind, one.name, one.namespace or None)
            except ApiError as error:
                if error.forbidden:
                    return _Why(f"{one} may not be read: {error.message}", forbidden=True)
                if error.reason in _ABSENT:
                    return _Why(f"{one}: {error.message}")
                raise
        if found is None:
            return _Why(f"{one} not found")
        health = kstatus.compute(found)
        if health.state == "Current":
            return None
        return _Why(f"{one} is not ready: {_reason(found) if _is_plan(one) else health.message}")

    def _cycle(self, key: Key) -> tuple[Key, ...]:
        """Return the Plans on the shortest way from this one back to itself; empty when none is found.

        It looks at the nearest Plans only: each that waits looks, so a chain of very many would take long.
        """
        before: dict[Key, Key] = {}
        pending = deque([key])
        while pending and len(before) < _LOOKED_AT:
            at = pending.popleft()
            for dependency in self._plans(at):
                if dependency == key:
                    way = [key, at]
                    while way[-1] != key:
                        way.append(before[way[-1]])
                    return tuple(reversed(way))
                if dependency not in before:
                    before[dependency] = at
                    pending.append(dependency)
        return ()

    def _plans(self, key: Key) -> Iterator[Key]:
        """The Plans that a Plan names; as they stand in its spec, which may be wrong in any way."""
        state = self._cache.get(key)
        spec = state.snapshot.spec if state else None
        wanted = spec.get("dependsOn") if isinstance(spec, dict) else None
        for one in wanted if isinstance(wanted, list) else ():
            if (
                isinstance(one, dict)
                and one.get("kind", KIND) == KIND
                and one.get("apiVersion", API_VERSION) == API_VERSION
            ):
                yield Key(str(one.get("namespace") or key.namespace), str(one.get("name")))


def _reason(plan: dict[str, Any]) -> str:
    """Why a Plan is not ready, in the word of its own condition."""
    conditions = (plan.get("status") or {}).get("conditions") or ()
    return next((str(c.get("reason")) for c in conditions if c.get("type") == "Ready"), "it has not been looked at yet")


def _reference(key: Key, one: DependsOn) -> Reference:
    return Reference(one.api_version, one.kind, one.namespace or key.namespace, one.name)


def _is_plan(reference: Reference) -> bool:
    return (reference.api_version, reference.kind) == (API_VERSION, KIND)
