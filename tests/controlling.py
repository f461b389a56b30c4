"""The operator without its watch: the Reconciler with everything that it stands on, an API server in memory, and a
clock that moves when it is told to.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import inspect
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, Field

from execloop import Context, plan
from execloop._plans.definition import definition_of
from execloop._plans.registry import Registered, Registry
from execloop.controller.access import Access
from execloop.controller.api.secrets_policy import SECRETS_POLICY, secrets_policy
from execloop.controller.manager.builder import assemble
from execloop.controller.plancode.clients import Clients
from execloop.controller.plancode.crashes.suspects import PlanCrashes
from execloop.controller.plancode.host import PlanHost
from execloop.controller.reconcile.commit import AtRest
from execloop.controller.reconcile.inputs.validation import Validator
from execloop.controller.timing import Times, to_its_place
from execloop.controller.watch.cache import Cache, Key
from execloop.controller.watch.references import References
from execloop.resource.fields import ended_executions
from execloop.testing import FakeClock, ScriptedPlan
from tests.fake_cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from execloop.controller.reconcile.commit import Requeue
    from execloop.controller.reconcile.execution.audience import Audience
    from execloop.testing.scripted import Step

T = TypeVar("T")
Status: TypeAlias = dict[str, Any]

NAMESPACE = "team"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PLANS = f"/apis/execloop.dev/v1alpha1/namespaces/{NAMESPACE}/plans"
_STEPS = 100


class Creates(Protocol):
    def create(self) -> Any: ...


class Count(BaseModel):
    count: int = Field(gt=0)


class Controller:
    """Most methods speak of the Plan `a` unless another is named. Its plan code does what `script` says."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        # The engine reads the system's clock for a deadline that falls in a run, so this one must not be far from it.
        self.clock = FakeClock(round(time.time(), 2))
        self.cluster = FakeCluster()
        self.guard_secrets()
        self.chance = 0.5
        self.skew = 0.0
        """How far the wall clock was stepped."""
        self.code_version = "1"
        self.plans_are_missing = False
        self.workers, self.max_threads = 10, 10
        self.audience: Audience | None = None
        """Who follows the runs of a process that starts from now on."""
        self.contexts: list[Context] = []
        """What plan code was given, in order."""
        self.admitted: list[str] = []
        """What plan code was about to run with, in order."""
        self.refuses = False
        """Whether plan code has ended the process too often."""
        self.parameters: list[Any] = []
        """What the plan `free` was given, in order."""
        self._scripts: dict[str, Creates] = {}
        self._undoing: dict[str, Creates] = {}
        self.code = PlanHost(1, 1)
        self.start()

    def start(self) -> None:
        """A new process; of the one before nothing is left but what is in the cluster."""
        self.end()
        self.cache = Cache()
        self.code = PlanHost(self.workers, self.max_threads)
        kube = self.cluster.kube
        self.references = References(kube, (), lambda _key, _metadata: None)
        self.reconciler = assemble(
            Validator(Registry(self._registered()), Access()),
            self.cache,
            self.code,
            kube,
            Clients(self.cluster.connection),
            self.references,
            lambda _key, _uid, _plan: None,
            Times(lambda: self.clock.now() + self.skew, self.clock.monotonic, lambda: self.chance),
            refusal=self._refusal,
            audience=self.audience,
        )
        self.cache.changed = lambda key, _change, _listed: self.reconciler.interrupt(key)

    def _refusal(self, _key: Key, _uid: str, inputs: str) -> PlanCrashes | None:
        self.admitted.append(inputs)
        return PlanCrashes() if self.refuses else None

    def end(self) -> None:
        if self.code._loop is not None:
            self.code._loop.loop.call_soon_threadsafe(self.code._loop.end)

    # -- what users do

    def script(self, *steps: Step, name: str = "a") -> ScriptedPlan:
        """From now on its `create()` answers with these, one after another, and then with no task."""
        self._scripts[name] = script = ScriptedPlan(*steps)
        return script

    def plan(self, plan: Creates, name: str = "a", *, teardown: bool = False) -> None:
        """From now on its `create()`, or its `teardown()`, does what this plan's does."""
        (self._undoing if teardown else self._scripts)[name] = plan

    def undo(self, *steps: Step, name: str = "a") -> ScriptedPlan:
        """The same for its `teardown()`."""
        self._undoing[name] = script = ScriptedPlan(*steps)
        return script

    def put(self, kind: str, name: str, data: dict[str, str] | None = None) -> None:
        """A ConfigMap, Secret or ServiceAccount, as it is from now on. Values of a Secret are given in the clear."""
        if kind == "Secret":
            data = {key: base64.b64encode(value.encode()).decode() for key, value in (data or {}).items()}
        collection = f"/api/v1/namespaces/{NAMESPACE}/{kind.lower()}s"
        if f"{collection}/{name}" in self.cluster.objects:
            self.cluster.answer("PATCH", f"{collection}/{name}", {"data": data})
        else:
            metadata = {"name": name, "namespace": NAMESPACE}
            self.cluster.answer("POST", collection, {"kind": kind, "metadata": metadata, "data": data or {}})

    def guard_secrets(self) -> None:
        """Install the policy by which only those name a Secret who may read it, as the chart does."""
        policy, binding = secrets_policy()
        self.cluster.answer("POST", f"{ADMISSION}/validatingadmissionpolicies", policy)
        self.cluster.answer("POST", f"{ADMISSION}/validatingadmissionpolicybindings", binding)

    def unguard_secrets(self) -> None:
        self.cluster.answer("DELETE", f"{ADMISSION}/validatingadmissionpolicies/{SECRETS_POLICY}")
        self.cluster.answer("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/{SECRETS_POLICY}")

    def apply(self, plan: str = "scripted", name: str = "a", **spec: Any) -> None:
        metadata = {"name": name, "namespace": NAMESPACE}
        body = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": metadata}
        self.cluster.answer("POST", PLANS, {**body, "spec": {"plan": plan, **spec}})
        self._scripts.setdefault(name, ScriptedPlan())
        self._undoing.setdefault(name, ScriptedPlan())

    def edit(self, name: str = "a", **spec: Any) -> None:
        self.cluster.answer("PATCH", f"{PLANS}/{name}", {"spec": spec})

    def annotate(self, name: str = "a", **annotations: str) -> None:
        prefixed = {f"execloop.dev/{key}": value for key, value in annotations.items()}
        self.cluster.answer("PATCH", f"{PLANS}/{name}", {"metadata": {"annotations": prefixed}})

    def label(self, name: str = "a", **labels: str) -> None:
        self.cluster.answer("PATCH", f"{PLANS}/{name}", {"metadata": {"labels": labels}})

    def spoil(self, **status: Any) -> None:
        """Edit the status by hand."""
        self.cluster.answer("PATCH", f"{PLANS}/a/status", {"status": status})

    def delete(self, name: str = "a") -> None:
        self.cluster.answer("DELETE", f"{PLANS}/{name}")

    # -- what the operator does

    def reconcile(self, name: str = "a") -> float | None:
        """Seconds until it is due again; None at rest."""
        requeue = self.run(self._reconcile(name))
        return None if isinstance(requeue, AtRest) else requeue.seconds

    def settle(self, name: str = "a") -> float | None:
        """Reconcile, whenever it is due, until it is at rest."""
        for _ in range(_STEPS):
            delay = self.reconcile(name)
            if delay is None or (delay and self._rests(name)):
                return delay
            self.clock.advance(delay)
        raise AssertionError(f"{name} does not come to rest")

    async def _reconcile(self, name: str) -> Requeue:
        self.watch()
        try:
            return await self.reconciler.reconcile(Key(NAMESPACE, name))
        finally:
            await asyncio.sleep(0)  # Events are sent meanwhile

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def watch(self) -> None:
        """Tell the operator of what changed."""
        there = {Key(NAMESPACE, path.rpartition("/")[2]): body for path, body in self.cluster.objects.items()}
        for key in self.cache:
            if key not in there:
                self.cache.drop(key)
        for key, body in there.items():
            if body.get("kind") == "Plan":
                self.cache.put(key, copy.deepcopy(body))

    def meanwhile(self, *deeds: Callable[[], object]) -> Callable[[], None]:
        """What a task does: things happen while it runs, and the operator is told of them."""
        loop = self._runner.get_loop()

        async def happen() -> None:
            for deed in deeds:
                done = deed()
                if inspect.isawaitable(done):
                    await done
            self.watch()

        return lambda: asyncio.run_coroutine_threadsafe(happen(), loop).result()

    # -- what can be seen

    def names(self) -> list[str]:
        """Of the Plans that are there."""
        return [path.rpartition("/")[2] for path in self.cluster.objects if path.startswith(f"{PLANS}/")]

    def next_look(self, interval: float = 600.0, name: str = "a") -> float:
        """Seconds until a Plan is at its place in the interval: then it is observed after a look that found nothing."""
        uid: str = self.cluster.objects[f"{PLANS}/{name}"]["metadata"]["uid"]
        return to_its_place(uid, interval, self.clock.now())

    def status(self, name: str = "a") -> Status:
        found: Status = copy.deepcopy(self.cluster.objects[f"{PLANS}/{name}"]["status"])
        return found

    def execution(self, name: str = "a") -> Status:
        found: Status = self.status(name)["execution"]
        return found

    def conditions(self, name: str = "a") -> dict[str, tuple[str, str]]:
        """(status, reason) by type."""
        return conditions(self.status(name))

    def results(self, name: str = "a") -> list[str]:
        """Of the executions that ended, newest first."""
        return [one["result"] for one in ended_executions({"status": self.status(name)})]

    def _rests(self, name: str) -> bool:
        """Whether the status tells of an execution that has ended, of the spec as it is."""
        status, generation = self.status(name), self.cluster.objects[f"{PLANS}/{name}"]["metadata"]["generation"]
        return "finishedAt" in status.get("execution", {}) and status["observedGeneration"] == generation

    @property
    def written(self) -> list[Status]:
        """Each status that the operator wrote, in order."""
        return [write.object["status"] for write in self.cluster.writes if write.path.endswith("/status")]

    @property
    def events(self) -> list[tuple[str, str]]:
        """(type, reason) of each Kubernetes Event."""
        events = [write.object for write in self.cluster.writes if write.path.endswith("/events")]
        return [(event["type"], event["reason"]) for event in events]

    def _registered(self) -> Iterator[Registered]:
        for made in () if self.plans_are_missing else (*_scripted(self), *_others(self)):
            definition = definition_of(made)
            assert definition is not None
            yield Registered(definition, "tests", self.code_version)


def conditions(status: Status) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", ())}


def _scripted(control: Controller) -> list[object]:
    @plan("scripted")
    class Scripted:
        """Does what the script says that stands for the Plan's name."""

        def __init__(self, parameters: object, context: Context) -> None:
            control.contexts.append(context)
            self.script, self.undoing = control._scripts[context.name], control._undoing[context.name]
            self.parameters = parameters

        def create(self) -> Any:
            return self.script.create()

        def teardown(self) -> Any:
            return self.undoing.create()

    @plan("scripted-async")
    class ScriptedAsync(Scripted):
        async def create(self) -> Any:
            return self.script.create()

        async def teardown(self) -> Any:
            return self.undoing.create()

    @plan("scripted-constructor")
    class ScriptedConstructor(Scripted):
        """Asks the script while it is made."""

        def __init__(self, parameters: object, context: Context) -> None:
            super().__init__(parameters, context)
            self.created = self.script.create()

        def create(self) -> Any:
            return self.created

    return [Scripted, ScriptedAsync, ScriptedConstructor]


def _others(control: Controller) -> list[object]:
    @plan("strict", parameters=Count)
    def strict(_parameters: Count) -> None:
        """Takes one parameter, above 0."""

    @plan("free")
    def free(parameters: dict[str, Any]) -> None:
        control.parameters.append(parameters)

    @plan("rubbish")
    def rubbish() -> Any:
        return 42

    @plan("exits")
    def exits() -> None:
        raise SystemExit(3)

    @plan("exits-async")
    async def exits_async() -> None:
        raise KeyboardInterrupt

    return [strict, free, rubbish, exits, exits_async]


@contextmanager
def controlling() -> Iterator[Controller]:
    with asyncio.Runner() as runner:
        controller = Controller(runner)
        try:
            yield controller
        finally:
            controller.end()
