"""Drift within seconds: one metadata watch for each kind that plans say they manage, for all Plans together.

The runs declare what a plan manages; the operator is called with each Plan that is due because something of it changed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from execloop._plans.whole import Whole
from execloop.controller.watch.gaps import Gaps
from execloop.controller.watch.reads import Reads, read_by
from execloop.kube import PLAN_UID_LABEL, Contents, EventType, ObjectWatch, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from execloop.controller.watch.cache import Key
    from execloop.controller.watch.references import Reference
    from execloop.kube import ApiError, Kube, Restart

__all__ = ["DriftWatches", "WatchedKind"]

logger = logging.getLogger(__name__)

_MOST_KINDS = 100
_MOST_OBJECTS = 10_000
_SECRET = ("v1", "Secret")
_Place: TypeAlias = tuple[str, str]
"""Namespace and name."""


class WatchedKind(NamedTuple):
    api_version: str
    kind: str
    whole: bool = False
    """Whether whole objects are watched, and not their metadata only."""

    @property
    def name(self) -> tuple[str, str]:
        return self.api_version, self.kind

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]


_Kinds: TypeAlias = "Mapping[WatchedKind, frozenset[_Place] | None]"
"""For each kind the objects; None: any of them."""


@dataclass(frozen=True, slots=True)
class _Managed:
    """What the plan of one uid says it manages."""

    uid: str
    kinds: _Kinds
    problem: str = ""
    gaps: Gaps = field(default_factory=Gaps)
    names: dict[WatchedKind, frozenset[str]] = field(default_factory=dict)
    """Of the objects of a kind, made when a cluster-scoped one changes."""

    def manages(self, kind: WatchedKind, metadata: Mapping[str, Any]) -> bool:
        if kind not in self.kinds:
            return False
        objects, name = self.kinds[kind], metadata.get("name", "")
        namespace = metadata.get("namespace")
        if objects is None:
            return True
        # The plan need not know that a kind is cluster-scoped.
        if namespace:
            return (namespace, name) in objects
        if kind not in self.names:
            self.names[kind] = frozenset(known for _, known in objects)
        return name in self.names[kind]


class _Said(NamedTuple):
    """What a plan declared."""

    uid: str
    kinds: _Kinds = MappingProxyType({})
    problem: str = ""
    reads: tuple[Reference, ...] = ()


class _Watched(NamedTuple):
    watches: Mapping[str, Watch]
    """By namespace; the empty one is all of them."""
    tasks: list[asyncio.Task[None]]
    by: set[Key]


class DriftWatches:
    """`drifted` is called for each change to an object that a Plan manages and that carries its label.

    A watch ends with the last Plan that manages its kind. Without the right to watch a kind its Plans work by
    `interval`; that is said once. `exists` says whether a Plan of that key and uid is there: one may go while its code
    runs. `owns` says of which uids this process has the Plans. Made on the event loop that it serves.
    """

    def __init__(
        self,
        kube: Kube,
        namespaces: Sequence[str],
        drifted: Callable[[Key], None],
        restarted: Callable[[Restart], None] = lambda _reason: None,
        *,
        exists: Callable[[Key, str], bool] = lambda _key, _uid: True,
        owns: Callable[[str], bool] = lambda _uid: True,
    ) -> None:
        self.contents = Contents()
        self._owns = owns
        self._kube, self._namespaces, self._drifted = kube, tuple(namespaces) or ("",), drifted
        self._restarted, self._exists = restarted, exists
        self._loop = asyncio.get_running_loop()
        self._owners: dict[str, Key] = {}
        self._managed: dict[Key, _Managed] = {}
        self._reads = Reads(kube, namespaces, drifted, restarted)
        self._watches: dict[WatchedKind, _Watched] = {}
        self._whole: dict[tuple[str, str], Mapping[str, Mapping[str, ObjectWatch]]] = {}
        self._said: dict[Key, _Said] = {}
        """What each Plan's plan declared last; none of those that never declared anything."""

    def declare(self, key: Key, uid: str, plan: object) -> None:
        """Take a plan's attribute `watches`: (apiVersion, kind), or with namespace and name. From any thread.

        A built-in plan also has `reads`: objects that it does not own.
        """
        kinds, problem = _read(key, getattr(plan, "watches", None) or ())
        said = _Said(uid, kinds, problem, tuple(read_by(key, plan)))
        if self._said.get(key, _Said(uid)) != said:  # the calls of one Plan's code are one after the other
            self._said[key] = said
            self._loop.call_soon_threadsafe(self._declare, key, *said)

    def version(self, api_version: str, kind: str, namespace: str, name: str) -> str | None:
        """Return what `Context.version` says. From any thread."""
        names = (WatchedKind(api_version, kind, whole) for whole in (False, True))
        watched = next(filter(None, map(self._watches.get, names)), None)
        if watched is None:
            return None
        everywhere = watched.watches.get("") if namespace else next(iter(watched.watches.values()))
        watch = watched.watches.get(namespace) or everywhere
        if watch is None or not watch.current:
            return None
        return watch.version(namespace, name) or ""

    def whole(self, group: str, kind: str) -> Mapping[str, Mapping[str, ObjectWatch]]:
        """Return the watches of whole objects of a kind, by apiVersion and then by namespace. From any thread."""
        return self._whole.get((group, kind), {})

    def relist(self) -> None:
        """Read whole objects again: of Plans that are new to this process none is held yet."""
        for watches in self._whole.values():
            for watch in (watch for by_place in watches.values() for watch in by_place.values()):
                watch.relist()

    def forget(self, key: Key) -> None:
        self._said.pop(key, None)
        self._reads.forget(key)
        managed = self._managed.pop(key, None)
        if managed is not None:
            self._owners.pop(managed.uid, None)
            self._release(key, managed.kinds)

    def _declare(self, key: Key, uid: str, kinds: _Kinds, problem: str, reads: Sequence[Reference] = ()) -> None:
        if not self._exists(key, uid):
            self._said.pop(key, None)
            return
        self._reads.declare(key, reads)
        before = self._managed.get(key, _Managed("", {}))
        if (before.uid, before.kinds, before.problem) == (uid, kinds, problem):
            return
        if problem:
            logger.warning("its `watches` %s", problem, extra={"plan": str(key)})
        self._owners.pop(before.uid, None)
        self._owners[uid] = key
        self._managed[key] = _Managed(uid, kinds, problem, before.gaps if before.uid == uid else Gaps())
        for kind in kinds:
            self._watched(kind).by.add(key)
        self._release(key, before.kinds.keys() - kinds.keys())

    def _watched(self, kind: WatchedKind) -> _Watched:
        if kind not in self._watches:
            watches = {place: self._watch(kind, place) for place in self._namespaces}
            tasks = [self._loop.create_task(watch.run()) for watch in watches.values()]
            self._watches[kind] = _Watched(watches, tasks, set())
            self._note_whole(kind)
        return self._watches[kind]

    def _release(self, key: Key, kinds: Iterable[WatchedKind]) -> None:
        for kind in kinds:
            watched = self._watches[kind]
            watched.by.discard(key)
            if not watched.by:
                for task in self._watches.pop(kind).tasks:
                    task.cancel()
                self._note_whole(kind)
                for watch in watched.watches.values():
                    if isinstance(watch, ObjectWatch):
                        watch.let_go()

    def _note_whole(self, kind: WatchedKind) -> None:
        """Let other threads find the watches of whole objects of a kind: what they see is not changed under them."""
        if not kind.whole:
            return
        of_kind = [one for one in self._watches if one.whole and (one.group, one.kind) == (kind.group, kind.kind)]
        self._whole[kind.group, kind.kind] = {
            one.api_version: {
                place: watch for place, watch in self._watches[one].watches.items() if isinstance(watch, ObjectWatch)
            }
            for one in of_kind
        }

    def _watch(self, kind: WatchedKind, namespace: str) -> Watch:
        make = partial(ObjectWatch, contents=self.contents, holds=self._owns) if kind.whole else Watch
        return make(
            self._kube,
            kind.api_version,
            kind.kind,
            PLAN_UID_LABEL,
            partial(self._changed, kind),
            namespace=namespace,
            on_denied=partial(self._denied, kind),
            restarted=self._restarted,
        )

    def _changed(self, kind: WatchedKind, event: EventType, metadata: dict[str, Any]) -> None:
        owner = self._owners.get((metadata.get("labels") or {}).get(PLAN_UID_LABEL, ""))
        if owner is None or event == "ADDED":
            return
        managed = self._managed[owner]
        if not managed.manages(kind, metadata):
            return  # anybody may write a label
        thing = (kind, metadata.get("namespace"), metadata.get("name"))
        wait = managed.gaps.wait(thing, self._loop.time())
        if wait == 0:
            self._drifted(owner)
        elif wait is not None:
            self._loop.call_later(wait, self._repeat, owner, managed.uid)

    def _repeat(self, owner: Key, uid: str) -> None:
        if self._owners.get(uid) == owner:
            self._drifted(owner)

    def _denied(self, kind: WatchedKind, error: ApiError) -> None:
        logger.warning("%s may not be watched, so its drift is repaired at each Plan's interval: %s", kind.kind, error)

    async def close(self) -> None:
        tasks = [task for watched in self._watches.values() for task in watched.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._reads.close(), return_exceptions=True)


def _read(key: Key, declared: Any) -> tuple[_Kinds, str]:
    """What a plan's `watches` says, and what is wrong with it."""
    try:
        entries = [_entry(each) for each in islice(declared, _MOST_OBJECTS)]
    except (TypeError, ValueError):
        return {}, f"must be pairs of (apiVersion, kind), not {declared!r:.200}; it works by interval"
    anywhere = {kind.name for kind, place in entries if place is None}
    objects: dict[tuple[str, str], set[_Place]] = {kind.name: set() for kind, _ in entries}
    whole = {kind.name for kind, _ in entries if kind.whole}
    for kind, place in entries:
        if place is not None:
            objects[kind.name].add((place[0] or key.namespace, place[1]))
    kinds = {
        WatchedKind(*name, name in whole and name != _SECRET): None if name in anywhere else frozenset(found)
        for name, found in objects.items()
    }
    chosen = dict(islice(kinds.items(), _MOST_KINDS))
    many = f"has {len(kinds)} kinds; the first {_MOST_KINDS} are watched" if len(kinds) > _MOST_KINDS else ""
    secret = f"has Secrets as {Whole.__name__}: their contents are not held, so they are read live"
    return chosen, many or (secret if _SECRET in whole else "")


def _entry(entry: Any) -> tuple[WatchedKind, _Place | None]:
    """A kind, and where one object of it is. Raises TypeError or ValueError."""
    if isinstance(entry, Whole):
        return WatchedKind(str(entry.api_version), str(entry.kind), whole=True), None
    if isinstance(entry, str):
        raise TypeError
    api_version, kind, *place = entry
    namespace, name = place or (None, None)
    return WatchedKind(str(api_version), str(kind)), None if name is None else (str(namespace or ""), str(name))
