"""The plan itself: look at every object, return what is to be done about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from execloop._engine.errors import FatalError
from execloop._engine.waits import Wait
from execloop._plans.decorator import plan
from execloop._plans.entry import Entry
from execloop.kube import ApiError
from execloop.library.folder import FolderError
from execloop.library.manifests.applying import Apply, ObjectsFailed, Progress, ReportFailures, Tools
from execloop.library.manifests.health import HealthCheck, brief
from execloop.library.manifests.memory import Memory
from execloop.library.manifests.observation import Change, Create, Fine, OnItsWay, Recreate, Refused, Viewer
from execloop.library.manifests.pruning import Delete, Deletions, Leftover, look_at, waits_of
from execloop.library.manifests.recovery import recover
from execloop.library.manifests.wanted.files import of_folder
from execloop.library.manifests.wanted.order import rank
from execloop.library.manifests.wanted.parameters import Parameters
from execloop.library.manifests.wanted.wish import Wanted, defined_scope, dependencies, wanted_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from execloop._engine.tasks import Task
    from execloop._plans.context import Context
    from execloop.library.manifests.observation import Seen

__all__ = ["Manifests"]

T = TypeVar("T")

_AT_A_TIME = 10
"""Requests of one plan at a time while it looks at its objects."""


@plan("manifests", parameters=Parameters)
class Manifests:
    """Applies objects that are not as written down, waits until they are healthy, deletes what left the list."""

    _reads_when_made = True

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._context = parameters, context
        self._wanted: Sequence[Wanted] = ()
        self._unknown: Exception | None = None
        try:
            files = of_folder(parameters.folder, context.limits) if parameters.folder is not None else ()
            self._wanted = wanted_of(parameters, context.namespace, files)
        except (FatalError, FolderError, Wait) as error:
            self._unknown = error  # create() says so; a teardown goes by the inventory

    @property
    def watches(self) -> Sequence[tuple[str, str, str, str]]:
        """The objects whose drift is to be noticed at once."""
        return tuple(
            (one.manifest["apiVersion"], one.entry.kind, one.entry.namespace, one.entry.name) for one in self._wanted
        )

    async def create(self) -> list[Task | Wait]:
        if self._unknown is not None:
            raise self._unknown
        kube, inventory = self._context.kube, self._context.inventory
        entries = await self._entries()
        inventory.checked(map(str, entries))  # refused before anything is applied
        memory = Memory(self._context, self._parameters.full_check_every.total_seconds())
        health_check = HealthCheck(self._parameters.ready_when, wait=self._parameters.wait)
        memory.begin(set(entries), health_check.basis)
        viewer = Viewer(kube, self._parameters, memory, health_check)
        seen = await _bounded(viewer.look(one, entry) for one, entry in zip(self._wanted, entries, strict=True))
        inventory.update(str(entry) for entry, one in zip(entries, seen, strict=True) if _is_ours(one))
        problems = [
            f"{entry.label}: {one.message}"
            for entry, one in zip(entries, seen, strict=True)
            if isinstance(one, Refused)
        ]
        if problems and self._parameters.on_error == "stop":
            raise ObjectsFailed(f"{len(problems)} of {len(seen)}, and none is applied: {brief(problems)}")
        progress = [Progress.of(entry, one) for entry, one in zip(entries, seen, strict=True)]
        tools = Tools(kube, memory, inventory, health_check)
        work: list[Task | Wait] = list(self._applies(entries, seen, progress, tools))
        work += [
            Wait(f"{entry.label}: {one.message}")
            for entry, one in zip(entries, seen, strict=True)
            if isinstance(one, OnItsWay)
        ]
        if problems:
            return [*work, ReportFailures(len(seen), problems, brief(problems))]
        return [*work, *await self._prune(set(entries), [one for one in progress if not one.done.is_set()])]

    def _applies(
        self, entries: Sequence[Entry], seen: Sequence[Seen], progress: Sequence[Progress], tools: Tools
    ) -> Iterable[Task]:
        if all(isinstance(one, Fine | OnItsWay | Refused) for one in seen):
            return
        for place, needs in enumerate(dependencies(self._wanted)):
            verdict = seen[place]
            if isinstance(verdict, Create | Change | Recreate):
                others = [progress[need] for need in needs]
                yield Apply(self._wanted[place], entries[place], verdict, progress[place], others, tools)

    async def _entries(self) -> list[Entry]:
        """Return what each object is called once the server says whether its kind has namespaces."""
        found = await _bounded(self._entry(one) for one in self._wanted)
        if len(set(found)) < len(found):
            twice = next(entry for place, entry in enumerate(found) if entry in found[:place])
            first, second = [self._wanted[place].given.place for place, entry in enumerate(found) if entry == twice][:2]
            raise FatalError(f"{second}: {twice.label} is in {first} too; keep one of them")
        return found

    async def _entry(self, one: Wanted) -> Entry:
        try:
            resource = await self._context.kube.connection.discovery.find(one.manifest["apiVersion"], one.entry.kind)
        except ApiError as error:
            if not error.not_found:
                raise
            scoped = defined_scope(self._wanted, one) == "Cluster"
        else:
            scoped = not resource.namespaced
        return one.entry._replace(namespace="") if scoped else one.entry

    # -- what left the list

    async def _prune(self, wanted: set[Entry], unfinished: Sequence[Progress]) -> list[Task | Wait]:
        inventory = self._context.inventory
        if not self._parameters.prune or self._context.missing_sources:
            return []
        await recover(self._context, wanted)
        left = [entry for entry in map(Entry.parse, inventory) if entry not in wanted]
        leftovers = await self._leftovers(left)
        to_delete = sorted((one for one in leftovers if not one.goes), key=_reverse)
        counted = Deletions(self._context)
        many = counted.count + len(to_delete) > self._parameters.max_deletions
        tasks = [Delete(one, self._context, after=unfinished, counted=counted, approval=many) for one in to_delete]
        return [*tasks, *waits_of(leftovers)]

    async def _leftovers(self, entries: Iterable[Entry]) -> list[Leftover]:
        found = await _bounded(look_at(self._context.kube, entry) for entry in entries)
        for one in found:
            if one.live is None:
                self._context.inventory.discard(str(one.entry))
        return [one for one in found if one.live is not None]

    async def teardown(self) -> list[Task | Wait]:
        """Delete what the plan made, in the reverse order, and wait until it is gone."""
        wanted = await self._entries()
        await recover(self._context, set(wanted))
        place = {entry: (one.wave, rank(entry.kind)) for entry, one in zip(wanted, self._wanted, strict=True)}
        known = {Entry.parse(text) for text in self._context.inventory} | set(wanted)
        leftovers = await self._leftovers(known)
        leftovers.sort(key=lambda one: place.get(one.entry, (0, rank(one.entry.kind))), reverse=True)
        steps = {one.entry: place.get(one.entry, (0, rank(one.entry.kind))) for one in leftovers}
        progress = {one.entry: Progress(one.entry.label, "it still exists") for one in leftovers}
        for one in leftovers:
            if one.goes:
                progress[one.entry].obstacle = "it is being deleted"
                progress[one.entry].done.set()
        tasks: list[Task | Wait] = [
            Delete(
                one,
                self._context,
                own=progress[one.entry],
                after=[progress[other] for other, step in steps.items() if step > steps[one.entry]],
            )
            for one in leftovers
            if not one.goes
        ]
        return [*tasks, *waits_of(leftovers)]


def _reverse(leftover: Leftover) -> tuple[int, str]:
    return -rank(leftover.entry.kind), str(leftover.entry)


def _is_ours(seen: Seen) -> bool:
    return isinstance(seen, Fine | Change | OnItsWay | Recreate)


async def _bounded(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await them, so many at a time; return their results in order."""
    places = asyncio.Semaphore(_AT_A_TIME)

    async def one(call: Coroutine[Any, Any, T]) -> T:
        async with places:
            return await call

    found = await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException):
            raise result
    return [result for result in found if not isinstance(result, BaseException)]
