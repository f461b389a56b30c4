"""One life: replicas, people and faults drawn from a seed; then calm, in which everything has to come right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from execloop.controller.api.secrets_policy import SECRETS_POLICY
from execloop.testing import FakeClock
from tests.api_server import ApiServer
from tests.simulation.feed import FeedFaults
from tests.simulation.network import FAULTS, Faults, Network, SomeFaults
from tests.simulation.people import NAMES, NAMESPACE, Deed, People, deeds
from tests.simulation.processes import Died, task_factory, use_loop
from tests.simulation.referee import Referee, Violation, seconds
from tests.simulation.replica import Replica, logged, virtual_time
from tests.simulation.story import Story
from tests.simulation.work import Site, Sites, asks_for_approval
from tests.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Ended", "Script", "World", "drawn", "live"]

_IDLE = 90.0
_ROUNDS = 12
_FROZEN = 0.15


@dataclass(frozen=True)
class Script:
    """All that a life follows from."""

    seed: int
    lasts: float
    deeds: tuple[Deed, ...]
    rates: dict[str, float] = field(default_factory=dict)
    feed: FeedFaults = field(default_factory=FeedFaults)
    replicas: int = 2
    lease_seconds: int = 15
    shards: tuple[int, ...] = (1,)
    """Ranges that the replicas share: each process draws one of these numbers, as if an upgrade changed it."""
    joins: float = 0.0
    """Seconds after which the second replica starts."""
    latest: float = 0.05
    how: frozenset[str] = frozenset({"error", "fatal", "exit", "cancelled"})
    faults: Faults | None = None
    """In place of those drawn at the rates."""
    quiet: float = 240.0
    """Seconds of calm in which everything has to come to rest."""


@dataclass(frozen=True)
class Ended:
    script: Script
    violation: Violation | None
    story: str
    requests: int
    faults: int
    statuses: int
    """Writes of a status by the operator, until the calm."""
    seconds: float


def drawn(
    seed: int, without: Collection[int] = (), how: Collection[str] = ("error", "fatal", "exit", "cancelled")
) -> Script:
    """The life of a seed, without some of its deeds."""
    chance = Random(seed)
    lasts = chance.choice([20.0, 60.0, 200.0])
    plan = tuple(deed for deed in deeds(chance, lasts, chance.choice([3, 8, 20])) if deed.number not in without)
    storm = chance.choice([0.0, 0.01, 0.04, 0.1])
    kinds = [kind for kind in FAULTS if chance.random() < 0.5]
    feed = chance.choice([0.0, 0.05, 0.2])
    more = Random(f"since then {seed}")  # what was added later changes no other draw of a seed
    late, joins = more.choice([0.0, 0.0, 0.0, 0.5]), more.choice([0.0, 0.0, lasts / 2])
    if more.random() > 1 - _FROZEN and (number := 1000) not in without:
        plan = tuple(sorted((*plan, Deed(number, more.random() * lasts, "freeze", "a", more.random())), key=_at))
    return Script(
        seed=seed,
        lasts=lasts,
        deeds=plan,
        rates={kind: storm / len(kinds) for kind in kinds},
        feed=FeedFaults(feed / 2, feed, feed / 10, feed / 10, chance.choice([0.01, 0.5, 5.0]), late),
        replicas=chance.choice([1, 2, 2]),
        lease_seconds=chance.choice([15, 60, 60]),
        latest=chance.choice([0.01, 0.1, 2.0]),
        how=frozenset(how),
        shards=chance.choice([(1,), (1,), (2,), (3,), (1, 2), (2, 3)]),
        joins=joins,
    )


def _at(deed: Deed) -> float:
    return deed.at


def live(script: Script, *, whole: bool = False) -> Ended:
    """`whole`: tell the story of a good life, too."""
    clock = FakeClock(1000.0)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        loop = runner.get_loop()
        loop.set_task_factory(task_factory())
        use_loop(loop)
        with virtual_time(clock, loop, Random(script.seed + 1)):
            return runner.run(_lived(script, clock, whole))


async def _lived(script: Script, clock: FakeClock, whole: bool) -> Ended:
    world = World(script, clock, whole)
    with logged(world.story, world.referee):
        return await world.live()


class World:
    def __init__(self, script: Script, clock: FakeClock, whole: bool) -> None:
        self._whole = whole
        self.script, self.clock, self.began = script, clock, clock.now()
        self.story = Story(lambda: clock.now() - self.began)
        self.server = ApiServer()
        _install_the_policy_for_secrets(self.server)
        self.chance = Random(script.seed + 2)
        self.faults = script.faults or SomeFaults(Random(script.seed + 3), script.rates, script.latest)
        self.network = Network(self.server, self.story, self.chance, self.faults)
        self.referee = Referee(self.server, self.network, clock.now)
        self.sites = Sites(self.referee)
        self.feed = script.feed
        self.how = script.how
        self.statuses = 0
        self.people = People(self)
        self.replicas = [
            Replica(
                name, self.network, self.sites, self.referee, clock, Random(script.seed + 4 + number),
                lambda: self.feed, script.lease_seconds, script.shards, number * script.joins,
            )
            for number, name in enumerate(("left", "right")[: script.replicas])
        ]  # fmt: skip

    def dice(self, deed: Deed) -> Random:
        """What a deed decides does not hang on those before it."""
        return Random(self.script.seed * 1000 + deed.number)

    def site(self, name: str) -> Site:
        return self.sites.site(f"{NAMESPACE}/{name}")

    def outage(self, lasts: float) -> None:
        self.network.down = True
        asyncio.get_running_loop().call_later(lasts, self._up)

    def _up(self) -> None:
        self.network.down = False

    async def live(self) -> Ended:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        lives = [loop.create_task(replica.live()) for replica in self.replicas]
        course = loop.create_task(self._course())
        try:
            self.referee.on_violation = course.cancel
            await asyncio.wait({course})
            if not course.cancelled():
                await course
        finally:
            for replica in self.replicas:
                replica.kill()
            for task in (course, *lives):
                task.cancel()
            await asyncio.gather(course, *lives, return_exceptions=True)
            await asyncio.sleep(0.1)
        violation = next(iter(self.referee.violations), None)
        name = violation.site.partition("/")[2] if violation else None
        injected = sum(" !! " in what for _, _, what in self.story.lines)
        told = self.story.shown(most=1_000_000) if self._whole else self.story.shown(name, 80) if violation else ""
        return Ended(
            self.script,
            violation,
            told,
            self.network.requests,
            injected,
            self.statuses,
            self.clock.now() - self.began,
        )

    def _unexpected(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, Died):
            self.story.tell("loop", f"{context.get('message')}: {error!r}")

    async def _course(self) -> None:
        await self.people.live(list(self.script.deeds))
        await asyncio.sleep(max(0.0, self.began + self.script.lasts - self.clock.now()))
        self._calm()
        await asyncio.sleep(self.script.quiet)
        self._nothing_is_forgotten()
        await self._drift_is_found()
        await self._heal()
        await self._idle()

    def _calm(self) -> None:
        self.statuses = self.referee.statuses
        self.story.tell("people", "all faults end, all that was broken works")
        self._up()
        if isinstance(self.faults, SomeFaults):
            self.faults.calm = True
        self.faults.latest = 0.01
        self.feed = FeedFaults(latest=0.01)
        for name in NAMES:
            self.site(name).broken.clear()
            self.site(name).slow = 0.0
        self.people._change_a_source(Deed(-1, 0.0, "change a source", "", 0.0))

    # -- what must be so once it is calm

    def _plans(self) -> dict[str, dict[str, Any]]:
        return {name: body for name in NAMES if (body := self.people.body(name))}

    def _nothing_is_forgotten(self) -> None:
        for name, body in self._plans().items():
            site = f"{NAMESPACE}/{name}"
            if why := _does_not_rest(body):
                self.referee.blame("forgotten", why, site)
            elif self._watched(body) and (wrong := self.sites.wrong(site, self._parameters(body))):
                self.referee.blame("forgotten", f"Ready, and {', '.join(wrong)} are not as they should be", site)

    def _watched(self, body: dict[str, Any]) -> bool:
        """Whether it must find out by itself, and may act."""
        spec = body["spec"]
        active = spec["mode"] == "Reconcile" and not asks_for_approval(spec) and spec["interval"] != "0s"
        return active and _is_ready(body) and not spec.get("suspend") and "deletionTimestamp" not in body["metadata"]

    def _parameters(self, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = body["spec"].get("parameters", {})
        return found

    async def _drift_is_found(self) -> None:
        watched = {name: body for name, body in self._plans().items() if self._watched(body)}
        for name in watched:
            self.site(name).things.clear()
        longest = max((seconds(body["spec"]["interval"]) for body in watched.values()), default=0.0)
        self.story.tell("people", f"everything drifts of {', '.join(watched) or 'nothing'}")
        await asyncio.sleep(1.1 * longest + 60)
        for name, body in watched.items():
            site = f"{NAMESPACE}/{name}"
            if self.people.body(name) and (wrong := self.sites.wrong(site, self._parameters(body))):
                self.referee.blame("forgotten", f"{', '.join(wrong)} drifted, and were never looked at again", site)

    async def _heal(self) -> None:
        """People do what is theirs to do, until everything is as it should be."""
        for number in range(_ROUNDS):
            for name, body in self._plans().items():
                self._help(name, body, ask=number == 0)
            await asyncio.sleep(30.0)
            if number and all(_is_ready(body) for body in self._plans().values()):
                break
        for name, body in self._plans().items():
            site = f"{NAMESPACE}/{name}"
            if "deletionTimestamp" in body["metadata"]:
                self.referee.blame("forgotten", "it was deleted, and is still there", site)
            elif not _is_ready(body):
                self.referee.blame("forgotten", f"it never becomes Ready: {_conditions(body)}", site)
            elif body["status"]["observedGeneration"] != body["metadata"]["generation"]:
                self.referee.blame("forgotten", "Ready for an old generation", site)
            elif body["spec"]["mode"] != "Preview" and (wrong := self.sites.wrong(site, self._parameters(body))):
                self.referee.blame("false-ready", f"Ready, and {', '.join(wrong)} are not as they should be", site)

    def _help(self, name: str, body: dict[str, Any], *, ask: bool) -> None:
        deed = Deed(-1, 0.0, "help", name, 0.0)
        conditions = _conditions(body)
        if "deletionTimestamp" in body["metadata"]:
            if "Stalled" in conditions:
                self.people._annotate(name, abandon="true")
            else:
                self.people._approve(deed)
            return
        if body["spec"].get("suspend") or body["spec"].get("dependsOn"):
            self.people._patch(name, {"spec": {"suspend": False, "dependsOn": None}})
        if body["status"].get("pending") and body["spec"]["mode"] != "Preview":
            self.people._approve(deed)
        elif "Stalled" in conditions or ask:
            self.people._request(deed)

    async def _idle(self) -> None:
        before = self.referee.writes
        await asyncio.sleep(_IDLE)
        if self.referee.writes != before:
            self.referee.blame("idle-writes", f"{self.referee.writes - before} writes though nothing changed", "")


def _install_the_policy_for_secrets(server: ApiServer) -> None:
    registration = "/apis/admissionregistration.k8s.io/v1"
    metadata = {"name": SECRETS_POLICY, "uid": "policy", "resourceVersion": "1"}
    binding = {"metadata": metadata, "spec": {"policyName": SECRETS_POLICY, "validationActions": ["Deny"]}}
    server.objects[f"{registration}/validatingadmissionpolicies/{SECRETS_POLICY}"] = {"metadata": metadata}
    server.objects[f"{registration}/validatingadmissionpolicybindings/{SECRETS_POLICY}"] = binding


def _conditions(body: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in body["status"].get("conditions", ())}


def _is_ready(body: dict[str, Any]) -> bool:
    ready = next((c for c in body["status"].get("conditions", ()) if c["type"] == "Ready"), None)
    generation = body["metadata"]["generation"]
    return ready is not None and ready["status"] == "True" and ready["observedGeneration"] == generation


_WAITS = {"DependencyNotReady", "DependencyCycle", "ApprovalRequired"}


def _does_not_rest(body: dict[str, Any]) -> str:
    """Why this is no state to be in after a long calm; empty when it is one."""
    conditions, spec = _conditions(body), body["spec"]
    if spec.get("suspend") and "deletionTimestamp" not in body["metadata"]:
        return "" if "Suspended" in conditions else f"it is not said to be suspended: {conditions}"
    ready = next((c for c in body["status"].get("conditions", ()) if c["type"] == "Ready"), None)
    if ready is None:
        return "nobody has looked at it"
    if ready["observedGeneration"] != body["metadata"]["generation"] and "deletionTimestamp" not in body["metadata"]:
        return f"its status is of generation {ready['observedGeneration']}: {conditions}"
    if spec.get("ttlAfterFinished") and ready["status"] == "True":
        return "its time to live is over, and it is there"
    rests = ready["status"] == "True" or "Stalled" in conditions or ready["reason"] in _WAITS
    waits = asks_for_approval(spec) and body["status"].get("pending") is not None
    return "" if rests or waits else f"it does not come to rest: {conditions}"
