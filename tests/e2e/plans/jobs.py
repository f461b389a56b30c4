"""A plan as a user writes it: it reaches the operator in a ConfigMap, and in an image volume."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import BaseModel

from execloop import Context, Task, plan, task


class Parameters(BaseModel):
    image: str
    prefix: str = "step"
    steps: int = 1
    seconds: float = 0.0
    """How long each step takes."""


@plan("queue", parameters=Parameters)
class Jobs:
    """Each step is a Kubernetes Job, one after the other; done when the last of them has succeeded."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._kube = parameters, context.kube

    async def create(self) -> list[Task]:
        for step in range(self._parameters.steps):
            job = await self._kube.get("batch/v1", "Job", self._name(step))
            if job is None:
                return [task(f"start step {step}", partial(self._start, step))]
            if not job.get("status", {}).get("succeeded"):
                return [task(f"wait for step {step}", _nothing)]
        return []

    async def _start(self, step: int) -> None:
        await self._kube.apply(job(self._name(step), self._parameters.image, self._parameters.seconds))

    async def teardown(self) -> list[Task]:
        for step in range(self._parameters.steps):
            if await self._kube.get("batch/v1", "Job", self._name(step)):
                return [task(f"remove step {step}", partial(self._remove, step))]
        return []

    def _name(self, step: int) -> str:
        return f"{self._parameters.prefix}-{step}"

    async def _remove(self, step: int) -> None:
        await self._kube.delete("batch/v1", "Job", self._name(step))


def _nothing() -> None: ...


def job(name: str, image: str, seconds: float) -> dict[str, Any]:
    """A Job that Pod Security `restricted` lets run."""
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "step",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", f"import time; time.sleep({seconds}); print('done')"],
        "securityContext": restricted,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
