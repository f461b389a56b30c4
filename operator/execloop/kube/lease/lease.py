"""Hold a coordination.k8s.io/v1 Lease: one process at a time is its holder.

`Shards` and `Undivided` have one for each range; `election` has the rules.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import random
import time
import uuid
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from execloop.kube.errors import ApiError, LeaseLost
from execloop.kube.lease.election import Candidate, Claim, LeaseTimes

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.kube.http.connection import Connection

__all__ = ["Lease", "awake_or_not", "claim_of", "identity"]

logger = logging.getLogger(__name__)

_API_VERSION = "coordination.k8s.io/v1"
_JITTER = 0.2
_WATCH_SECONDS = "600"


def identity() -> str:
    """One that no other process has, nor this container when it is started again."""
    return f"{os.environ.get('HOSTNAME') or platform.node()}_{uuid.uuid4()}"


def awake_or_not() -> float:
    """Return monotonic seconds that include the sleep of the machine, where the system counts it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """`acquire`, `keep` while it is held, `release`: one after another, on one event loop.

    `held` and `require` may be called from any thread. `monotonic` decides what is valid; `now` is for people to read.
    `holder` is the name that it is taken in; by default a new one, which nothing else has.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        namespace: str,
        times: LeaseTimes | None = None,
        *,
        holder: str = "",
        monotonic: Callable[[], float] = awake_or_not,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name, self.namespace = name, namespace
        self.times = times or LeaseTimes()
        self._candidate = Candidate(holder or identity(), self.times)
        self._connection, self._monotonic, self._now, self._chance = connection, monotonic, now, chance
        self._path = f"/apis/{_API_VERSION}/namespaces/{namespace}/leases"
        self._object: dict[str, Any] | None = None
        self._may_watch = True
        self._said = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def held(self) -> bool:
        return self._left() > 0

    @property
    def holder(self) -> str:
        """Who held it when it was looked at last; empty without a holder."""
        return self._candidate.seen.holder if self._candidate.seen else ""

    @property
    def problem(self) -> str:
        """What kept the last attempt to acquire it from reading or writing it; empty when nothing did."""
        return self._said

    def annotation(self, name: str) -> str:
        """What it said when it was looked at last; empty when it has none of that name."""
        metadata = self._object["metadata"] if self._object else {}
        return str((metadata.get("annotations") or {}).get(name, ""))

    def require(self) -> None:
        """Raises LeaseLost unless it is held."""
        if not self.held:
            raise LeaseLost(f"the Lease {self} is not held")

    async def acquire(self) -> None:
        """Wait until it is held, however long that takes. What keeps it from being read is logged, once a cause."""
        while not self.held:
            try:
                await self._read()
                noted = await self._may_be_taken()
                if noted:
                    await self._take()
            except ApiError as error:
                self._say(f"{error}; trying again")
                noted = False
            else:
                self._said = ""
            if not noted:
                await asyncio.sleep(self.times.retry / 2 * (1 + _JITTER * self._chance()))

    @property
    def free(self) -> bool:
        """Return whether it may be taken, by what was seen last."""
        return not self._wait()

    def see(self, found: dict[str, Any] | None) -> None:
        """Take what a list says of it; None when it does not exist. Not while it is held: `keep` knows better then."""
        if not self.held:
            self._see(found)

    async def take(self) -> bool:
        """Take it as seen last, unless another candidate is faster; return whether it is held. Raises ApiError."""
        await self._take()
        return self.held

    async def renew(self) -> bool:
        """Renew or make a Lease that only this process writes; return whether it is held. Raises ApiError."""
        await self._overwrite(self._candidate.claim)
        return self.held

    async def keep(self) -> str:
        """Renew it until it is lost; returns why."""
        cause = "this process was paused for too long"
        while True:
            await asyncio.sleep(min(self.times.retry, self._left()))
            if not self.held:
                return f"not renewed for {self.times.deadline:g} s: {cause}"
            try:
                async with asyncio.timeout(min(self._left(), self.times.deadline / 2)):
                    await self._overwrite(self._candidate.claim)
            except TimeoutError:
                cause = "the API server did not answer in time"
            except ApiError as error:
                cause = str(error)
            if not self._ours:
                return f"{self.holder} holds it"

    async def release(self) -> None:
        """Let the next one have it at once. When that cannot be written, it takes them the duration."""
        if self.held:
            self._candidate.give_up()
            with suppress(ApiError, TimeoutError):
                async with asyncio.timeout(self.times.retry):
                    await self._overwrite(self._candidate.release)

    async def delete(self) -> None:
        """Delete it, for a Lease that only this process writes; one that is gone already is fine. Raises ApiError."""
        self._candidate.give_up()
        try:
            await self._connection.request("DELETE", f"{self._path}/{self.name}")
        except ApiError as error:
            if not error.not_found:
                raise

    @property
    def _ours(self) -> bool:
        return self.holder in {"", self._candidate.identity}

    async def _may_be_taken(self) -> bool:
        """Follow it until then: False when it must be read again to know what it says."""
        if not (seconds := self._wait()):
            return True
        if not self._may_watch:
            return False
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self.name}",
            "resourceVersion": self._object["metadata"]["resourceVersion"] if self._object else "",
            "timeoutSeconds": _WATCH_SECONDS,
        }
        try:
            async with (
                asyncio.timeout(seconds) as scope,
                aclosing(self._connection.stream(self._path, query)) as events,
            ):
                async for event in events:
                    if event["type"] == "ERROR":
                        return False
                    self._see(None if event["type"] == "DELETED" else event["object"])
                    if not (seconds := self._wait()):
                        return True
                    scope.reschedule(asyncio.get_running_loop().time() + seconds)
        except TimeoutError:  # it was not renewed
            return True
        except ApiError as error:
            if not error.forbidden:
                raise
            logger.info("the Lease %s may not be watched: the operator polls it", self)
            self._may_watch = False
        return False

    async def _take(self) -> None:
        """Unless another candidate is faster."""
        try:
            async with asyncio.timeout(self.times.deadline / 2):
                await self._write(self._candidate.claim(self._timestamp()))
        except TimeoutError:
            raise ApiError(0, "Timeout", "the API server did not answer in time") from None
        except ApiError as error:
            if not error.conflict:
                raise

    async def _overwrite(self, claim: Callable[[str], Claim]) -> None:
        """Write, and again when only a write of our own, whose answer was lost, is in the way."""
        try:
            await self._write(claim(self._timestamp()))
        except ApiError as error:
            if not (error.conflict or error.not_found):
                raise
            await self._read()
            if self._ours:
                await self._write(claim(self._timestamp()))

    async def _read(self) -> None:
        try:
            self._see(await self._connection.request("GET", f"{self._path}/{self.name}", timeout=self.times.deadline))
        except ApiError as error:
            if not error.not_found:
                raise
            self._see(None)

    def _see(self, found: dict[str, Any] | None) -> None:
        self._object = found
        self._candidate.see(claim_of(found, self.times) if found else None, self._monotonic())

    async def _write(self, claim: Claim) -> None:
        """On what was seen last: refused with 409 when it has changed since."""
        sent = self._monotonic()
        if self._object is None:
            metadata = {"name": self.name}
            body = {"apiVersion": _API_VERSION, "kind": "Lease", "metadata": metadata, "spec": _spec({}, claim)}
            written = await self._connection.request("POST", self._path, body=body)
        else:
            body = {**self._object, "spec": _spec(self._object.get("spec") or {}, claim)}
            written = await self._connection.request("PUT", f"{self._path}/{self.name}", body=body)
        self._object = written
        self._candidate.wrote(claim_of(written, self.times), sent)

    def _wait(self) -> float:
        return self._candidate.wait(self._monotonic())

    def _left(self) -> float:
        return max(0.0, self._candidate.left(self._monotonic()))

    def _timestamp(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _say(self, problem: str) -> None:
        if problem != self._said:
            logger.warning("the Lease %s: %s", self, problem)
            self._said = problem


def claim_of(found: dict[str, Any], times: LeaseTimes) -> Claim:
    """What is not set is as the reader would have it."""
    spec = found.get("spec") or {}
    return Claim(
        spec.get("holderIdentity") or "",
        float(spec.get("leaseDurationSeconds") or times.duration),
        str(spec.get("renewTime")),
        int(spec.get("leaseTransitions") or 0),
    )


def _spec(before: dict[str, Any], claim: Claim) -> dict[str, Any]:
    goes_on = before.get("holderIdentity") == claim.holder and before.get("acquireTime")
    return {
        **before,
        "holderIdentity": claim.holder,
        "leaseDurationSeconds": int(claim.duration),
        "acquireTime": before["acquireTime"] if goes_on else claim.renewed,
        "renewTime": claim.renewed,
        "leaseTransitions": claim.transitions,
    }
