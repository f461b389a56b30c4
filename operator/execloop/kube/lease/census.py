"""List all Leases of an operator: who holds which range, who is alive, and which other division is in force.

`Shards` and `Undivided` look before they take a Lease and after.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from execloop.kube.errors import ApiError
from execloop.kube.lease.election import Candidate
from execloop.kube.lease.lease import awake_or_not, claim_of
from execloop.kube.lease.ranges import Range
from execloop.kube.lease.share import Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from execloop.kube.http.connection import Connection
    from execloop.kube.lease.election import LeaseTimes
    from execloop.kube.lease.lease import Lease

__all__ = ["Census", "member_lease"]

_API_VERSION = "coordination.k8s.io/v1"


def member_lease(base: str, ranges: int, holder: str) -> str:
    """Return the name of the Lease by which a replica shows that it is alive and wants its share of so many ranges."""
    return f"{_members(base, ranges)}{hashlib.sha256(holder.encode()).hexdigest()[:10]}"


def _members(base: str, ranges: int) -> str:
    return f"{base}-{ranges}-member-"


class Census:
    """Lists the Leases of a namespace, and counts as every candidate does: from when a claim was first seen."""

    def __init__(
        self,
        connection: Connection,
        base: str,
        namespace: str,
        ranges: int,
        times: LeaseTimes,
        monotonic: Callable[[], float] = awake_or_not,
    ) -> None:
        self._connection, self._base, self._ranges, self._times = connection, base, ranges, times
        self._monotonic = monotonic
        self._path = f"/apis/{_API_VERSION}/namespaces/{namespace}/leases"
        self._claims: dict[str, Candidate] = {}
        self._dead: dict[str, str] = {}
        """Names of members' Leases that ended, with their versions."""

    async def look(self, mine: Mapping[int, Lease] | None = None) -> Sight:
        """Return what the Leases say now; tell the Leases of the ranges what was seen of them. Raises ApiError."""
        listed = await self._connection.request("GET", self._path, timeout=self._times.deadline / 2)
        found = {one["metadata"]["name"]: one for one in listed["items"] if self._is_ours(one["metadata"]["name"])}
        for index, lease in (mine or {}).items():
            lease.see(found.get(Range(index, self._ranges).lease(self._base)))
        live = {name: holder for name, one in found.items() if (holder := self._live_holder(name, one))}
        self._forget(found)
        self._dead = {
            name: one["metadata"]["resourceVersion"]
            for name, one in found.items()
            if name not in live and Range.parse(name, self._base) is None
        }
        holders, members, others = dict[int, str](), set[str](), ""
        for name, holder in live.items():
            held = Range.parse(name, self._base)
            if held is None:
                members.add(holder)
            elif held.of == self._ranges:
                holders[held.index] = holder
            else:
                others = name
        return Sight(self._ranges, holders, frozenset(members), others)

    async def bury(self) -> None:
        """Delete the Leases of replicas that are gone: nothing else would. Raises ApiError."""
        for name, version in self._dead.items():
            body = {"preconditions": {"resourceVersion": version}}
            try:
                await self._connection.request("DELETE", f"{self._path}/{name}", body=body)
            except ApiError as error:
                if not (error.not_found or error.conflict):
                    raise

    def _is_ours(self, name: str) -> bool:
        return Range.parse(name, self._base) is not None or name.startswith(_members(self._base, self._ranges))

    def _live_holder(self, name: str, found: dict[str, Any]) -> str:
        """Return who holds it; empty without a holder, and when it was not renewed for as long as it lasts."""
        candidate = self._claims.setdefault(name, Candidate("", self._times))
        now = self._monotonic()
        candidate.see(claim_of(found, self._times), now)
        return candidate.seen.holder if candidate.seen is not None and candidate.wait(now) else ""

    def _forget(self, found: Mapping[str, object]) -> None:
        for name in self._claims.keys() - found.keys():
            del self._claims[name]
