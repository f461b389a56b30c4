"""The Jobs of a graph as the API server has them, those left out whose result is in the status already."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from execloop.library.jobs.job import ATTEMPT, GRAPH, INPUT, RECORDED, STEP, verdict

if TYPE_CHECKING:
    from execloop._plans.context import Context
    from execloop.kube import Kube
    from execloop.library.jobs.identity import Instance

__all__ = ["Job", "Live", "attempt_of", "graph_of", "input_of", "step_of"]

Job = dict[str, Any]


def graph_of(context: Context) -> str:
    """Return the label that all Jobs of a Plan carry. Another Plan of its name, or part, has another."""
    text = f"{context.uid}/{context.namespace}/{context.name}" + (f"/{context.part}" if context.part else "")
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Live:
    """One list; Jobs are found by their labels."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs
        self._by_input = {(input_of(job), attempt_of(job)): job for job in jobs}

    @classmethod
    async def of(cls, kube: Kube, graph: str) -> Live:
        """Ask the API server. Raises ApiError."""
        return cls(await kube.list("batch/v1", "Job", label_selector=f"{GRAPH}={graph},!{RECORDED}"))

    def attempt(self, instance: Instance, number: int) -> Job | None:
        """Return the Job of an attempt."""
        return self._by_input.get((instance.id, number))

    def stale(self, current: set[str]) -> list[Job]:
        """Return those that run for inputs that no step has any more."""
        return [job for job in self.jobs if input_of(job) not in current and verdict(job).state == "running"]

    def ended(self) -> list[Job]:
        return [job for job in self.jobs if verdict(job).state != "running"]


def input_of(job: Job) -> str:
    """Return the id of the run that a Job belongs to."""
    return _label(job, INPUT)


def attempt_of(job: Job) -> int:
    """Return which attempt a Job is, from 0. A label that another client wrote counts as the first."""
    number = _label(job, ATTEMPT)
    return int(number) if number.isdecimal() else 0


def step_of(job: Job) -> str:
    """Return the name of the step that a Job belongs to."""
    return _label(job, STEP)


def _label(job: Job, name: str) -> str:
    return str((job["metadata"].get("labels") or {}).get(name, ""))
