"""A cluster in memory with a Job controller: what the plan asks for, and what becomes of its Jobs."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Execution
from execloop._plans.context import Context, connected
from execloop.kube import ApiError
from execloop.library.jobs.plan import Jobs, Parameters
from tests.merge_patch import merged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

Fate = str | int | None
"""A termination message, an exit code that is not 0, or None for a Job that runs on."""


class World:
    """What outlives the operator's process: Jobs, pods and the state in the Plan's status."""

    def __init__(self, fate: Callable[[dict[str, Any]], Fate] = lambda _job: "") -> None:
        self.fate = fate
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.config_maps: dict[str, dict[str, str]] = {}
        self.state: dict[str, Any] = {}
        self.created: list[str] = []
        """Step and arguments of each Job that ran, in order."""
        self.requests: list[str] = []
        self.log = ["line 1", "it broke"]
        self.execution = Execution(id="first")
        self.retry = self.skip = ""

    @property
    def connection(self) -> World:
        return self

    async def lines(self, path: str, query: Mapping[str, str] | None = None) -> AsyncGenerator[str, None]:
        self.requests.append(f"GET {path}")
        for line in self.log:
            yield line

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any:
        self.requests.append(f"GET {kind}")
        if kind == "ConfigMap":
            found = self.config_maps.get(name)
            return None if found is None else {"metadata": {"name": name}, "data": found}
        return copy.deepcopy(self.jobs.get(name))

    async def list(self, api_version: str, kind: str, namespace: str | None = None, label_selector: str = "") -> Any:
        self.requests.append(f"LIST {kind}")
        if kind == "Pod":
            wanted = label_selector.partition("(")[2].removesuffix(")").split(",")
            return [copy.deepcopy(self.pods[name]) for name in wanted if name in self.pods]
        self.work()
        graph = label_selector.partition("=")[2].partition(",")[0]
        labelled = [(job, job["metadata"]["labels"]) for job in self.jobs.values()]
        return [
            copy.deepcopy(job)
            for job, labels in labelled
            if labels["execloop.dev/graph"] == graph and "execloop.dev/recorded" not in labels
        ]

    async def create(self, wanted: dict[str, Any]) -> Any:
        self.requests.append("POST Job")
        name = wanted["metadata"]["name"]
        if name in self.jobs:
            raise ApiError(409, "AlreadyExists", name)
        self.jobs[name] = copy.deepcopy(wanted) | {"status": {}}
        container = wanted["spec"]["template"]["spec"]["containers"][0]
        step = wanted["metadata"]["labels"]["execloop.dev/step"]
        self.created.append(" ".join([step, *container.get("args", [])]))

    async def patch(self, api_version: str, kind: str, name: str, patch: dict[str, Any]) -> Any:
        self.requests.append("PATCH Job")
        self.jobs[name] = merged(self.jobs[name], patch)

    async def delete(self, api_version: str, kind: str, name: str, *, propagation: str = "Background") -> None:
        self.requests.append("DELETE Job")
        self.jobs.pop(name, None)

    def work(self) -> None:
        """Let each Job that has a fate meet it."""
        for name, job in self.jobs.items():
            fate = self.fate(job) if not job["status"] else None
            if fate is None:
                continue
            container = job["spec"]["template"]["spec"]["containers"][0]["name"]
            failed = isinstance(fate, int)
            ended = {"exitCode": fate, "reason": "Error"} if failed else {"exitCode": 0, "message": fate}
            status = {"containerStatuses": [{"name": container, "state": {"terminated": ended}}]}
            labels = {"batch.kubernetes.io/job-name": name}
            self.pods[name] = {"metadata": {"name": f"{name}-x", "namespace": "ns", "labels": labels}, "status": status}
            condition = {"type": "Failed", "reason": "BackoffLimitExceeded"} if failed else {"type": "Complete"}
            job["status"] = {"conditions": [{**condition, "status": "True"}]}

    def expire(self) -> None:
        """Take away each Job that may expire, with its pods."""
        for name in [name for name, job in self.jobs.items() if "ttlSecondsAfterFinished" in job["spec"]]:
            del self.jobs[name]
            self.pods.pop(name, None)


class Operated:
    """The plan as the operator drives it: each run is made anew, with what the last one kept."""

    def __init__(self, world: World, *steps: dict[str, Any], **parameters: Any) -> None:
        self.world = world
        self.parameters = Parameters.model_validate({"steps": list(steps), **parameters})
        self._state: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return "jobs"

    def plan(self) -> Jobs:
        if self._state is not None:  # the last run has ended: what it kept is in the status
            self.world.state = json.loads(json.dumps(self._state))
        self._state = copy.deepcopy(self.world.state)
        retry, skip, state = self.world.retry, self.world.skip, self._state
        context = Context("graph", "ns", "uid", execution=self.world.execution, state=state, retry=retry, skip=skip)
        world: Any = self.world
        return Jobs(self.parameters, connected(context, lambda: world, lambda: world))

    async def create(self) -> Any:
        return await self.plan().create()


class Undone(Operated):
    """Its teardown."""

    async def create(self) -> Any:
        return await self.plan().teardown()


def step(name: str, *args: str, **fields: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "x", "args": list(args)}
    return {"name": name, "template": {"spec": {"containers": [container]}}, **fields}
