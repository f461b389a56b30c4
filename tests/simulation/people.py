"""What people, other programs and machines do in a life: drawn from its seed in advance, each at its time."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.kube import ApiError
from tests.simulation.referee import Approved
from tests.simulation.work import ERRORS

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.life import World

__all__ = ["NAMES", "NAMESPACE", "Deed", "People", "deeds"]

NAMESPACE = "team"
NAMES = ("a", "b", "c")
_COLLECTION = f"/apis/execloop.dev/v1alpha1/namespaces/{NAMESPACE}/plans"
_SOURCES = f"/api/v1/namespaces/{NAMESPACE}"
_DEEDS = {
    "apply": 6,
    "edit": 8,
    "tune": 3,
    "delete": 3,
    "approve": 6,
    "approve something else": 1,
    "request": 3,
    "suspend": 2,
    "resume": 3,
    "drift": 4,
    "break": 4,
    "mend": 4,
    "slow down": 3,
    "change a source": 3,
    "remove a source": 1,
    "edit the status": 1,
    "kill": 2,
    "terminate": 1,
    "jump": 1,
    "outage": 1,
    "compact": 1,
    "abandon": 1,
}


class Deed(NamedTuple):
    number: int
    at: float
    what: str
    name: str
    dice: float = 0.0
    spec: dict[str, Any] | None = None
    """Of a Plan that is applied, where it is not to be drawn."""
    thing: str = ""
    """What breaks, where it is not to be drawn."""

    def __str__(self) -> str:
        return f"{self.number}: {self.what} {self.name}"


def deeds(chance: Random, lasts: float, count: int) -> list[Deed]:
    """The first of them makes a Plan."""
    kinds, weights = list(_DEEDS), list(_DEEDS.values())
    names = NAMES[: chance.choice([1, 1, 2, 3])]
    times = _times(chance, lasts, count)
    drawn = [
        Deed(number, at, chance.choices(kinds, weights)[0], chance.choice(names), chance.random())
        for number, at in enumerate(times, 1)
    ]
    return [Deed(0, 0.0, "apply", names[0], chance.random()), *drawn]


def _times(chance: Random, lasts: float, count: int) -> list[float]:
    """Often one soon after another: what comes in between is where rules break."""
    times = [chance.random() * lasts]
    for _ in range(count - 1):
        soon = times[-1] + 2.0 * chance.random() ** 2
        times.append(soon if chance.random() < 0.6 and soon < lasts else chance.random() * lasts)
    return sorted(times)


class People:
    def __init__(self, world: World) -> None:
        self._world = world
        self._values = iter(range(1, 1_000_000))

    async def live(self, plan: list[Deed]) -> None:
        for deed in plan:
            await asyncio.sleep(max(0.0, deed.at - self._world.clock.now() + self._world.began))
            self.do(deed)

    def do(self, deed: Deed) -> None:
        method = getattr(self, "_" + deed.what.replace(" ", "_"))
        self._world.story.tell("people", f"{deed.what} {NAMESPACE}/{deed.name} ({deed.number})")
        try:
            method(deed)
        except ApiError as error:
            self._world.story.tell("people", f"   {error.status} {error.reason}")

    # -- Plans

    def _apply(self, deed: Deed) -> None:
        """Make it, if it is not there."""
        metadata = {"name": deed.name, "namespace": NAMESPACE}
        body = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": metadata}
        self._world.server.answer("POST", _COLLECTION, {**body, "spec": self._spec(deed)})

    def _spec(self, deed: Deed) -> dict[str, Any]:
        if deed.spec is not None:
            return {"mode": "Reconcile", "interval": "60s", **deed.spec}
        dice = self._world.dice(deed)
        mode = dice.choice(["Reconcile"] * 6 + ["Once", "Preview"])
        spec: dict[str, Any] = {
            "plan": dice.choice(["works", "works", "works-async"]),
            "parameters": {
                "value": next(self._values),
                "things": dice.choice([1, 2, 3]),
                "layers": dice.choice([1, 1, 2]),
            },
            "mode": mode,
            "interval": dice.choice(["0s", "10s", "30s", "60s"]),
            "errorsToTolerate": dice.choice([0, 1, 2, 5, -1]),
            "errorBackoff": {"initial": "1s", "max": dice.choice(["2s", "20s"])},
            "executionTimeout": dice.choice(["0s", "20s", "60s", "20m"]),
            "sleepBetweenRuns": dice.choice(["0s", "1s", "1s", "5s"]),
            "parallelism": dice.choice([1, 1, 1, 3]),
            "historyLimit": dice.choice([0, 2, 5]),
        }
        if mode != "Preview":
            spec["deletionPolicy"] = dice.choice(["Orphan", "Teardown"])
            spec["approval"] = dice.choice(["Automatic", "Automatic", "Manual"])
        if dice.random() < 0.3:
            kind = dice.choice(["ConfigMap", "Secret"])
            spec["parametersFrom"] = [{"kind": kind, "name": "source", "optional": dice.random() < 0.3}]
        if dice.random() < 0.2:
            spec["dependsOn"] = [{"name": dice.choice(NAMES)}]
        if dice.random() < 0.1:
            spec["suspend"] = True
        if dice.random() < 0.15:
            spec["parameters"]["guarded"] = 1
        return spec

    def _patch(self, name: str, body: dict[str, Any], subresource: str = "") -> None:
        self._world.server.answer("PATCH", f"{_COLLECTION}/{name}{subresource}", body)

    def _edit(self, deed: Deed) -> None:
        dice = self._world.dice(deed)
        parameters: dict[str, Any] = {"value": dice.choice([next(self._values), 1])}
        if dice.random() < 0.2:
            parameters["things"] = dice.choice([1, 2, 3])
        self._patch(deed.name, {"spec": {"parameters": parameters}})

    def _tune(self, deed: Deed) -> None:
        """What does not matter to the work."""
        dice = self._world.dice(deed)
        fields: list[tuple[str, list[Any]]] = [
            ("interval", ["10s", "30s"]),
            ("historyLimit", [0, 3]),
            ("deletionPolicy", ["Orphan", "Teardown"]),
            ("approval", ["Automatic", "Manual"]),
        ]
        field, values = dice.choice(fields)
        if field in {"deletionPolicy", "approval"} and self.spec(deed.name).get("mode") == "Preview":
            return
        self._patch(deed.name, {"spec": {field: dice.choice(values)}})

    def _tune_on_the_way(self, deed: Deed) -> None:
        """While a status is on the way: its writer meets a conflict, and reads the Plan."""
        self._world.network.met.append(lambda: self._patch(deed.name, {"spec": {"interval": "20s"}}))

    def _delete(self, deed: Deed) -> None:
        self._world.server.answer("DELETE", f"{_COLLECTION}/{deed.name}")
        if deed.dice < 0.4:
            self._apply(deed)

    def _abandon(self, deed: Deed) -> None:
        if "deletionTimestamp" in self.body(deed.name).get("metadata", {}):
            self._annotate(deed.name, abandon="true")

    def _suspend(self, deed: Deed) -> None:
        self._patch(deed.name, {"spec": {"suspend": True}})

    def _resume(self, deed: Deed) -> None:
        self._patch(deed.name, {"spec": {"suspend": False}})

    def _request(self, deed: Deed) -> None:
        self._annotate(deed.name, requestedAt=str(self._world.clock.now()))

    def _approve(self, deed: Deed) -> None:
        body = self.body(deed.name)
        pending = body.get("status", {}).get("pending")
        if not pending:
            return
        execution, names = body["status"]["execution"]["id"], frozenset(pending["tasks"])
        self._world.referee.approved.append(Approved(body["metadata"]["uid"], execution, names))
        self._annotate(deed.name, approve=pending["digest"])

    def _approve_something_else(self, deed: Deed) -> None:
        self._annotate(deed.name, approve="0123")

    def _annotate(self, name: str, **annotations: str) -> None:
        found = {f"execloop.dev/{key}": value for key, value in annotations.items()}
        self._patch(name, {"metadata": {"annotations": found}})

    def _edit_the_status(self, deed: Deed) -> None:
        body = self.body(deed.name)
        if not body:
            return
        self._world.referee.known[body["metadata"]["uid"]].edited_by_hand = True
        empty = {key: None for key in body["status"] if key != "observedGeneration"}
        status = empty if deed.dice < 0.5 else {"conditions": None}
        self._patch(deed.name, {"status": status}, "/status")

    # -- the world

    def _drift(self, deed: Deed) -> None:
        self._world.site(deed.name).things.pop("thing-0", None)

    def _break(self, deed: Deed) -> None:
        dice = self._world.dice(deed)
        if deed.thing:
            self._world.site(deed.name).broken[deed.thing] = "error"
            return
        what = dice.choice(["thing-0", "thing-1", "create"])
        self._world.site(deed.name).broken[what] = dice.choice(
            ["error"] * 5 + [how for how in ERRORS if how in self._world.how]
        )

    def _mend(self, deed: Deed) -> None:
        self._world.site(deed.name).broken.clear()
        self._world.site(deed.name).slow = 0.0

    def _slow_down(self, deed: Deed) -> None:
        self._world.site(deed.name).slow = (
            deed.dice if deed.thing else self._world.dice(deed).choice([0.5, 3.0, 15.0, 40.0])
        )

    def _change_a_source(self, deed: Deed) -> None:
        value = str(next(self._values))
        secret = f"s3cret-{value}-hidden"
        self._world.referee.secrets.add(secret)
        encoded = base64.b64encode(secret.encode()).decode()
        for kind, plural, data in (
            ("ConfigMap", "configmaps", {"note": value}),
            ("Secret", "secrets", {"password": encoded}),
        ):
            path, metadata = f"{_SOURCES}/{plural}", {"name": "source", "namespace": NAMESPACE}
            if f"{path}/source" in self._world.server.objects:
                self._world.server.answer("PATCH", f"{path}/source", {"data": data})
            else:
                self._world.server.answer("POST", path, {"kind": kind, "metadata": metadata, "data": data})

    def _remove_a_source(self, _deed: Deed) -> None:
        for plural in ("configmaps", "secrets"):
            self._world.server.answer("DELETE", f"{_SOURCES}/{plural}/source")

    # -- machines

    def _kill(self, deed: Deed) -> None:
        self._replica(deed).kill()

    def _terminate(self, deed: Deed) -> None:
        self._replica(deed).terminate()

    def _jump(self, deed: Deed) -> None:
        self._world.referee.clock_jumped = True
        self._replica(deed).jump(3600.0 if deed.dice < 0.5 else -3600.0)

    def _freeze(self, deed: Deed) -> None:
        """The machines are suspended: time passes, and nothing else."""
        self._world.clock.advance(deed.dice * 60)

    def _outage(self, deed: Deed) -> None:
        self._world.outage(deed.dice * 40)

    def _compact(self, _deed: Deed) -> None:
        self._world.server.compact()

    def _replica(self, deed: Deed) -> Any:
        """Most often the one that leads."""
        leads = [one for one in self._world.replicas if one.operator is not None]
        return (
            leads[0] if leads and deed.dice < 0.8 else self._world.replicas[int(deed.dice * len(self._world.replicas))]
        )

    # -- lookups

    def body(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._world.server.objects.get(f"{_COLLECTION}/{name}", {})
        return found

    def spec(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.body(name).get("spec", {})
        return found
