"""What a run of the plan does with Jobs: begin one, record how it ended, stop one, let those expire that ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from execloop._engine.errors import FatalError
from execloop.kube import ApiError
from execloop.library.cel.expression import CelError
from execloop.library.cel.template import rendered
from execloop.library.jobs.job import GRAPH, RECORDED, job_of, verdict
from execloop.library.jobs.live import graph_of
from execloop.library.jobs.results import failure_of, output_of, pods_of
from execloop.library.jobs.survey import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop._plans.context import Context
    from execloop._plans.duration import Duration
    from execloop.library.jobs.identity import Instance
    from execloop.library.jobs.live import Job, Live
    from execloop.library.jobs.memory import Memory
    from execloop.library.jobs.survey import Survey

__all__ = ["Attempts"]

_AT_A_TIME = 10
"""Requests."""
_DELETED = "its Job was deleted before it ended"


class Attempts:
    """Acts for one plan. Each method records in the memory what must not be done twice."""

    def __init__(self, context: Context, memory: Memory, survey: Survey, keep_finished: Duration) -> None:
        self._context, self._memory, self._survey = context, memory, survey
        self._seconds = int(keep_finished.total_seconds())
        self._graph = graph_of(context)
        self._unusable: dict[str, str] = {}

    async def harvest(self, live: Live, active: Iterable[Instance]) -> bool:
        """Record those that succeeded, with their outputs; return whether there was one. Raises ApiError."""
        ended = []
        for instance in active:
            job = live.attempt(instance, self._memory.attempts(instance))
            if job is not None and verdict(job).state == "succeeded" and instance.id not in self._unusable:
                ended.append((instance, job))
        reads = [job["metadata"]["name"] for instance, job in ended if _has_message(instance)]
        pods = await pods_of(self._context.kube, reads) if reads else {}
        for instance, job in ended:
            self._record(instance, pods.get(job["metadata"]["name"]))
        return bool(ended)

    def _record(self, instance: Instance, pod: Job | None) -> None:
        output = None
        if _has_message(instance):
            try:
                output = output_of(pod, instance.step.template["spec"]["containers"][0]["name"])
            except ValueError as error:
                self._unusable[instance.id] = str(error)
                return
        if not self._memory.finish(instance, output):
            self._unusable[instance.id] = (
                "its output does not fit into the Plan's status beside the others: let the step write a ConfigMap"
                " (outputs.configMap)"
            )

    async def begin(self, instance: Instance) -> None:
        """Create the Job of the next attempt; one that exists is taken over. Raises StepError and ApiError."""
        step, attempt = instance.step, self._memory.attempts(instance)
        compensation = step.compensate if instance.undoes else None
        template = step.template if compensation is None else compensation.template
        timeout = step.timeout if compensation is None else compensation.timeout
        try:
            pod = rendered(template, await self._survey.values(instance))
        except CelError as error:
            raise StepError(f"the step {instance.label}: template: {error}") from None
        wanted = job_of(self._context, self._graph, instance, attempt, pod, timeout)
        try:
            await self._context.kube.create(wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            await self._take_over(wanted["metadata"]["name"])
        self._memory.start(instance)

    async def _take_over(self, name: str) -> None:
        """Continue with a Job that exists. One that was recorded, in a status that was lost, is looked at again."""
        kube = self._context.kube
        found = await kube.get("batch/v1", "Job", name) or {"metadata": {}}
        labels = found["metadata"].get("labels") or {GRAPH: self._graph}
        if labels.get(GRAPH) != self._graph:
            raise StepError(f"the Job {name!r} exists and is not this Plan's: delete it, or rename the step")
        if RECORDED in labels:
            await kube.patch("batch/v1", "Job", name, {"metadata": {"labels": {RECORDED: None}}})

    async def end(self, instance: Instance, job: Job | None, *, quiet: bool) -> None:
        """Record a failed attempt. Raises StepError with its cause, unless `quiet` and it was the last one."""
        last = not instance.undoes and (self._memory.attempts(instance) + 1) % (instance.step.retries + 1) == 0
        cause = await self._cause(instance, job)
        self._memory.fail(instance, for_good=last, cause=self._unusable.get(instance.id))
        if not (last and quiet):
            raise StepError(f"{instance.label} failed: {cause}")

    async def give_up(self, instance: Instance, live: Live, undone: str) -> None:
        """Raise FatalError with the cause of the failure that stops the graph."""
        job = live.attempt(instance, self._memory.attempts(instance) - 1)
        cause = self._memory.cause(instance) or await self._cause(instance, job)
        raise FatalError(f"{instance.label} failed: {cause}{undone}")

    async def _cause(self, instance: Instance, job: Job | None) -> str:
        if instance.id in self._unusable:
            return self._unusable[instance.id]
        if job is None:
            return _DELETED
        template = instance.step.compensate if instance.undoes and instance.step.compensate else instance.step
        container = template.template["spec"]["containers"][0]["name"]
        return await failure_of(self._context.kube, job, verdict(job).reason, container)

    async def stop(self, job: Job) -> None:
        """Delete a Job; it goes when its pods are gone."""
        await self._context.kube.delete("batch/v1", "Job", job["metadata"]["name"], propagation="Foreground")

    async def expire(self, jobs: list[Job]) -> None:
        """Let Jobs whose result is recorded expire, and leave them out of the next list."""
        for at in range(0, len(jobs), _AT_A_TIME):
            await asyncio.gather(*map(self._expire, jobs[at : at + _AT_A_TIME]))

    async def _expire(self, job: Job) -> None:
        patch = {"metadata": {"labels": {RECORDED: "true"}}, "spec": {"ttlSecondsAfterFinished": self._seconds}}
        try:
            await self._context.kube.patch("batch/v1", "Job", job["metadata"]["name"], patch)
        except ApiError as error:
            if not error.not_found:
                raise


def _has_message(instance: Instance) -> bool:
    return instance.step.outputs == "TerminationMessage" and not instance.undoes
