"""Objects of one kind as a watch knows them, for reads that send no request; by the Plan whose label they carry."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.kube.http.connection import JSON
from execloop.kube.objects.ownership import PLAN_UID_LABEL
from execloop.kube.watch.answers import identity
from execloop.kube.watch.metadata import Watch
from execloop.kube.watch.writes import OwnWrites, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from execloop.kube.watch.answers import EventType, Identity
    from execloop.kube.watch.contents import Contents

    Object: TypeAlias = dict[str, Any]

__all__ = ["ObjectWatch"]

_REMEMBERED = 1000


class _Held(NamedTuple):
    plan: str
    """The uid of its Plan."""
    uid: str


class ObjectWatch(Watch):
    """A `Watch` that holds whole objects, too; `get` and `owned` answer from any thread.

    They say None where a live read is needed: while the watch does not follow, for an object that is not held, and
    after a write of the Plan's own that the watch has not come past, unless its answer is held. `holds` says of which
    Plans objects are worth their memory.
    """

    _list_as = _watch_as = JSON

    def __init__(
        self, *about: Any, contents: Contents, holds: Callable[[str], bool] = lambda _: True, **options: Any
    ) -> None:
        super().__init__(*about, **options)
        self._type = {"apiVersion": about[1], "kind": about[2]}
        self._contents, self._holds = contents, holds
        self._lock = threading.Lock()
        self._held: dict[Identity, _Held] = {}
        self._of: dict[str, set[Identity]] = {}
        self._writes = OwnWrites()
        self._gone: dict[str, None] = {}
        """Uids whose deletion was reported a moment ago, perhaps before the answer to it came."""
        self._seen = self._last_list = 0

    def get(self, plan: str, place: Identity) -> Object | None:
        """Return an object of a Plan; None when it has to be read live."""
        with self._lock:
            if not self._answers:
                return None
            text = self._text(plan, place, self._unseen(plan).get(place))
        return _decode(text)

    def owned(self, plan: str, namespace: str) -> list[Object] | None:
        """Return all objects of a Plan in a namespace, empty for all; None when they have to be read live."""
        with self._lock:
            if not self._answers:
                return None
            unseen = self._unseen(plan)
            places = sorted(self._of.get(plan, set()) | unseen.keys())
            texts = [self._text(plan, one, unseen.get(one)) for one in places if not namespace or one[0] == namespace]
        found = [_decode(text) for text in texts]
        return None if None in found else [one for one in found if one is not None and _plan(one) == plan]

    def _unseen(self, plan: str) -> dict[Identity, Write]:
        """Return the writes of a Plan that its objects here do not show; of what is not here, a deletion is shown."""
        writes = self._writes.of(plan, self._at)
        return {place: write for place, write in writes.items() if not write.uid or place in self._held}

    def _text(self, plan: str, place: Identity, write: Write | None) -> bytes | None:
        if write is not None:
            return write.text
        held = self._held.get(place)
        return self._contents.get((self, place)) if held is not None and held.plan == plan else None

    def wrote(self, plan: str, place: Identity, answer: Mapping[str, Any] | None) -> None:
        """Take note of a write by a Plan: the object that the server answered, or None where it did not say."""
        answer = answer or {}
        version = _number((answer.get("metadata") or {}).get("resourceVersion"))
        readable = version is not None and self._type.items() <= answer.items()  # not a Scale, nor of another version
        text = _encode(answer) if readable else None
        with self._lock:
            self._writes.forget(plan, place)
            if version is None or version > self._at:
                self._writes.add(plan, place, Write(self._stream.lists, version, text=text))

    def deleted(self, plan: str, place: Identity, uid: str | None) -> None:
        """Take note of a deletion that the server accepted; None: of an object that it did not have."""
        with self._lock:
            if uid in self._gone:
                self._writes.forget(plan, place)
            elif uid is not None:
                self._writes.add(plan, place, Write(self._stream.lists, uid=uid))
            elif (held := self._held.get(place)) is not None and self._writes.of(plan, self._at).get(place) is None:
                self._writes.add(plan, place, Write(self._stream.lists, uid=held.uid))
            else:
                self._writes.unread(plan, place, self._stream.lists)

    def found(self, found: dict[str, Any]) -> None:
        with self._lock:
            self._hold(found)
        super().found(found)

    def listed(self, present: set[Identity]) -> None:
        with self._lock:
            for place in self._held.keys() - present:
                self._drop(place)
            self._last_list, self._seen = self._stream.lists, 0
            self._writes.listed(self._last_list)
        super().listed(present)

    def changed(self, event: EventType, subject: dict[str, Any]) -> None:
        metadata = subject["metadata"]
        place, gone = identity(metadata), event == "DELETED"
        with self._lock:
            self._seen = _number(metadata.get("resourceVersion")) or self._seen
            if gone:
                self._drop(place)
                self._gone[str(metadata.get("uid"))] = None
                if len(self._gone) > _REMEMBERED:
                    del self._gone[next(iter(self._gone))]
            else:
                self._hold(subject)
            deleted = str(metadata.get("uid")) if gone or "deletionTimestamp" in metadata else None
            self._writes.reported(_plan(subject), place, deleted, self._seen)
        super().changed(event, subject)

    def relist(self) -> None:
        """List again: objects of other Plans are worth holding now."""
        self._stream.relist()

    def let_go(self) -> None:
        """Free the objects: the watch has ended."""
        with self._lock:
            for place in tuple(self._held):
                self._drop(place)

    @property
    def _answers(self) -> bool:
        return self.follows and self._at > 0 and self._writes.trusted(self._last_list)

    @property
    def _at(self) -> int:
        """How far the watch has come."""
        return max(self._seen, _number(self._stream.version) or 0)

    def _hold(self, found: Mapping[str, Any]) -> None:
        place, plan = identity(found["metadata"]), _plan(found)
        before, now = self._held.get(place), _Held(plan, str(found["metadata"].get("uid")))
        if before is not None and before.plan != plan:
            self._drop(place)
        self._held[place] = now
        self._of.setdefault(plan, set()).add(place)
        if self._holds(plan):
            self._contents.put((self, place), _encode({**found, **self._type}))
        else:
            self._contents.drop((self, place))

    def _drop(self, place: Identity) -> None:
        self._contents.drop((self, place))
        held = self._held.pop(place, None)
        if held is not None:
            self._of[held.plan].discard(place)
            if not self._of[held.plan]:
                del self._of[held.plan]


def _plan(found: Mapping[str, Any]) -> str:
    return str((found["metadata"].get("labels") or {}).get(PLAN_UID_LABEL, ""))


def _number(version: object) -> int | None:
    return int(version) if isinstance(version, str) and version.isdecimal() else None


def _encode(found: Mapping[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _decode(text: bytes | None) -> Object | None:
    found: Object | None = None if text is None else json.loads(text.decode("utf-8", "surrogatepass"))
    return found
