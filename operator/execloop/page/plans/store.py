"""Summaries of all Plans, which a read-only watch of its own keeps: on a leader, a standby and a shard alike."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from execloop.kube import Stream
from execloop.kube.watch.listwatch import ObjectListWatch
from execloop.page.plans.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from execloop.kube import ApiError, Connection, EventType
    from execloop.kube.watch.answers import Identity

__all__ = ["Store", "watch"]

logger = logging.getLogger(__name__)

_PLANS: Final = "/apis/execloop.dev/v1alpha1"


class Store:
    """Summaries by namespace and name. `version` grows with each change."""

    def __init__(self) -> None:
        self.version = 0
        self._summaries: dict[Identity, Summary] = {}
        self._namespaces: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._sorted: dict[bool, tuple[int, list[Summary]]] = {}

    def __len__(self) -> int:
        return len(self._summaries)

    def __iter__(self) -> Iterator[Identity]:
        return iter(tuple(self._summaries))

    @property
    def namespaces(self) -> list[str]:
        """Those that have Plans, by name."""
        return sorted(self._namespaces)

    def get(self, namespace: str, name: str) -> Summary | None:
        return self._summaries.get((namespace, name))

    def put(self, plan: dict[str, Any]) -> None:
        """Take a newer object."""
        summary = Summary.of(plan)
        before = self._summaries.get(summary.key)
        if before is None:
            self._namespaces[summary.namespace] = self._namespaces.get(summary.namespace, 0) + 1
        elif (before.version, before) == (summary.version, summary):
            return
        self._summaries[summary.key] = summary
        self._notify()

    def drop(self, key: Identity) -> None:
        """Forget a Plan that was deleted."""
        if self._summaries.pop(key, None) is None:
            return
        left = self._namespaces[key[0]] - 1
        if left:
            self._namespaces[key[0]] = left
        else:
            del self._namespaces[key[0]]
        self._notify()

    def ordered(self, *, by_name: bool) -> list[Summary]:
        """Return all: by namespace and name, or what calls for a person first."""
        found = self._sorted.get(by_name)
        if found is None or found[0] != self.version:
            order = (lambda one: one.key) if by_name else (lambda one: (one.rank, *one.key))
            found = self._sorted[by_name] = self.version, sorted(self._summaries.values(), key=order)
        return found[1]

    async def newer(self, version: int) -> None:
        """Return when something is newer than this version."""
        while self.version <= version:
            await self._changed.wait()

    def _notify(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


class _Receiver:
    def __init__(self, store: Store, namespace: str) -> None:
        self._store, self._namespace = store, namespace

    def found(self, found: dict[str, Any]) -> None:
        self._put(found)

    def listed(self, present: set[Identity]) -> None:
        for key in self._store:
            if self._namespace in {"", key[0]} and key not in present:
                self._store.drop(key)

    def changed(self, event: EventType, subject: dict[str, Any]) -> None:
        if event == "DELETED":
            self._store.drop((subject["metadata"].get("namespace", ""), subject["metadata"]["name"]))
        else:
            self._put(subject)

    def refused(self, error: ApiError) -> None:
        """Nothing to do: the stream says so, and asks again."""

    def absent(self) -> None:
        """Nothing to do: Plans that go with their CRD are seen to go."""

    def _put(self, plan: dict[str, Any]) -> None:
        try:
            self._store.put(plan)
        except Exception:  # one Plan must not cost all others their watch
            metadata = plan["metadata"]
            subject = f"{metadata.get('namespace')}/{metadata.get('name')}"
            logger.exception("the page cannot show a Plan: an error of the operator", extra={"plan": subject})


def watch(connection: Connection, namespaces: Sequence[str], store: Store) -> list[Stream]:
    """Return the streams that keep a store: one for each namespace, or one for all when none is named."""
    return [_stream(connection, namespace, store) for namespace in namespaces or ("",)]


def _stream(connection: Connection, namespace: str, store: Store) -> Stream:
    async def path() -> str:
        return f"{_PLANS}/namespaces/{namespace}/plans" if namespace else f"{_PLANS}/plans"

    name = f"the page's Plans in {namespace}" if namespace else "the page's Plans"
    return Stream(ObjectListWatch(connection, name, path), _Receiver(store, namespace))
