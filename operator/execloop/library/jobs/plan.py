"""The plan `jobs`: runs a graph of Kubernetes Jobs, each once for its inputs, and waits while they run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from execloop._engine.tasks import Task, task
from execloop._engine.waits import Wait
from execloop._plans.decorator import plan
from execloop.library.jobs.attempts import Attempts
from execloop.library.jobs.identity import parameters_key, undoing
from execloop.library.jobs.job import verdict
from execloop.library.jobs.live import Live, attempt_of, graph_of, input_of, step_of
from execloop.library.jobs.memory import Memory
from execloop.library.jobs.model import Parameters
from execloop.library.jobs.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop._plans.context import Context
    from execloop.library.jobs.identity import Instance
    from execloop.library.jobs.live import Job
    from execloop.library.jobs.survey import Standing

__all__ = ["Jobs", "Parameters"]

_SHOWN = 5
_EXPIRE = "let finished Jobs expire"


class _Round(NamedTuple):
    """What one look at the Jobs comes to."""

    tasks: list[Task]
    running: list[Instance]
    begins: list[Instance]
    """Those that run after this round."""


@plan("jobs", parameters=Parameters, watches=(("batch/v1", "Job"),), stuck_after=None)
class Jobs:
    """Runs a graph of Kubernetes Jobs. What became of each is in the Plan's status, and outlives the Job."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._context = parameters, context
        self._memory = Memory(context.state)
        self._survey = Survey(parameters, context, self._memory)
        self._attempts = Attempts(context, self._memory, self._survey, parameters.keep_finished)
        self._live = Live([])

    async def create(self) -> list[Task | Wait]:
        self._begin()
        key = parameters_key(self._parameters)
        if self._memory.settled == key:
            return []
        await self._look()
        stale = self._live.stale(self._current())
        found = self._round({step_of(job) for job in stale})
        recordable, fresh = self._ended_jobs()
        tasks = [*self._stops(stale), *found.tasks]
        if recordable or found.tasks:  # also before Jobs begin: an approval of that work then covers it
            tasks.append(task(_EXPIRE, self._attempts.expire, recordable))
        waits = _waits(stale, [*found.running, *found.begins])
        if fresh and not tasks and not waits:
            waits = [Wait("results are recorded", again_in=0.2)]
        if not tasks and not waits:
            self._memory.keep_only(self._current())
            self._memory.settled = key
        return [*tasks, *waits]

    def _begin(self) -> None:
        """In a new execution run a step again, or take it as done, if that was asked for."""
        retry, skip = self._context.retry, self._context.skip
        if not self._memory.begin(self._context.execution.id) or not (retry or skip):
            return
        if (retry or skip) not in self._survey.names:
            self._context.logger.warning("an annotation names %r, which is not a step of this Plan", retry or skip)
        elif retry:
            self._memory.turn_again(retry)
        else:
            self._memory.skip(skip)

    async def teardown(self) -> list[Task | Wait]:
        await self._look()
        undoing_ids = {undoing(each).id for each in self._instances()}
        stale = self._live.stale(undoing_ids)
        if stale:
            return [*self._stops(stale), *_waits(stale, [], again_in=2)]
        found = self._undoing()
        return [*found.tasks, *_waits([], [*found.running, *found.begins], again_in=5)]

    def _stops(self, jobs: list[Job]) -> list[Task]:
        """Return the deletions of Jobs, those left out that are being deleted already."""
        return [
            task(f"stop {job['metadata']['name']}", self._attempts.stop, job)
            for job in jobs
            if "deletionTimestamp" not in job["metadata"]
        ]

    async def _look(self) -> None:
        """Read the Jobs, and record those that succeeded; what depends on them may run then."""
        self._live = await Live.of(self._context.kube, graph_of(self._context))
        await self._survey.look()
        while await self._attempts.harvest(self._live, self._unfinished()):
            await self._survey.look()

    def _unfinished(self) -> list[Instance]:
        """Return the runs whose Jobs may have ended: also of a step that failed, so that they can be undone."""
        found = []
        for standing in self._survey.standings.values():
            for instance in standing.instances:
                if not self._ended(instance):
                    found.append(instance)
                elif standing.step.compensate is not None and self._memory.has("done", instance):
                    found.append(undoing(instance))
        return [instance for instance in found if not self._memory.has("undone", instance)]

    def _ended(self, instance: Instance) -> bool:
        return any(self._memory.has(kind, instance) for kind in ("done", "failed", "undone"))

    def _instances(self) -> list[Instance]:
        return [each for standing in self._survey.standings.values() for each in standing.instances]

    def _current(self) -> set[str]:
        """Return the ids that matter."""
        every = self._instances()
        return {each.id for each in every} | {undoing(each).id for each in every if each.step.compensate is not None}

    def _ended_jobs(self) -> tuple[list[Job], bool]:
        """Return the Jobs whose results are in the status, and whether others will be there after this run.

        The last Job of a failure that stops the graph stays: its log is the cause that the Plan shows.
        """
        shown = {each.id for each in self._instances() if each.step.on_failure == "stop"}
        current, memory = self._current(), self._memory
        recordable, fresh = [], False
        for job in self._live.ended():
            input_, failures = input_of(job), memory.recorded_attempts.get(input_of(job), 0)
            if memory.failed(input_) and input_ in shown and attempt_of(job) == failures - 1:
                continue
            if input_ in memory.recorded or input_ not in current or attempt_of(job) < failures:
                recordable.append(job)
            elif memory.succeeded(input_):
                fresh = True
        return recordable, fresh

    def _round(self, blocked: set[str]) -> _Round:
        """Begin what may begin. A step whose Jobs of other inputs still run has to wait for them."""
        standings = list(self._survey.standings.values())
        if (failed := next((each for each in standings if each.stops), None)) is not None:
            return self._stopping(failed)
        found = _Round([], [], [])
        for standing in standings:
            if standing.state == "active":
                self._advance(standing.instances, found, may_begin=standing.step.name not in blocked)
        return found

    def _advance(self, instances: Iterable[Instance], found: _Round, *, may_begin: bool) -> None:
        """Add what is to be done for the runs of one step, and those that run."""
        running: list[Instance] = []
        waiting: list[Instance] = []
        for instance in instances:
            if self._ended(instance):
                continue
            job = self._live.attempt(instance, self._memory.attempts(instance))
            if job is None and not self._memory.has("started", instance):
                waiting.append(instance)
            elif job is not None and verdict(job).state == "running":
                running.append(instance)
            else:
                quiet = instance.step.on_failure == "stop"
                found.tasks.append(task(_name(instance), partial(self._attempts.end, instance, job, quiet=quiet)))
        found.running.extend(running)
        if waiting and may_begin:
            places = self._parameters.parallelism - len(found.running) - len(found.tasks)
            own = waiting[0].step.parallelism
            places = places if own is None else min(places, own - len(running))
            begin = waiting[: max(0, places)]
            found.begins.extend(begin)
            found.tasks.extend(task(_name(each), partial(self._attempts.begin, each)) for each in begin)

    def _stopping(self, failed: Standing) -> _Round:
        """After a failure for good: wait for what runs, undo what is done, and say why."""
        running = [each for each in self._unfinished() if not each.undoes and self._runs(each)]
        if running:
            return _Round([], running, [])
        found = self._undoing()
        if found.tasks or found.running:
            return found
        undone = self._memory.undone_steps
        note = f"; undone: {', '.join(undone)}" if undone else ""
        first = next(each for each in failed.instances if self._memory.has("failed", each))
        return _Round([task(_name(first), partial(self._attempts.give_up, first, self._live, note))], [], [])

    def _undoing(self) -> _Round:
        """Undo the last step that is not undone yet; those before it have to wait."""
        for step in reversed(self._parameters.ordered()):
            done = [each for each in self._survey.standings[step.name].instances if self._memory.has("done", each)]
            if step.compensate is None or not done:
                continue
            found = _Round([], [], [])
            self._memory.compensated(step.name)  # before it is: from here on the step cannot count as done
            self._advance([undoing(each) for each in done], found, may_begin=True)
            if found.tasks or found.running:
                return found
        return _Round([], [], [])

    def _runs(self, instance: Instance) -> bool:
        job = self._live.attempt(instance, self._memory.attempts(instance))
        return job is not None and verdict(job).state == "running"


def _name(instance: Instance) -> str:
    return f"{'undo' if instance.undoes else 'run'} {instance.label}"


def _waits(stopping: list[Job], running: list[Instance], again_in: float | None = None) -> list[Wait]:
    names = [f"the undoing of {each.label}" if each.undoes else each.label for each in running]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    waits = [f"{len(stopping)} Jobs of earlier inputs stop"] if stopping else []
    if names:
        waits.append(f"{', '.join(names[:_SHOWN])}{more} {'runs' if len(names) == 1 else 'run'}")
    return [Wait(message, again_in=again_in) for message in waits]
