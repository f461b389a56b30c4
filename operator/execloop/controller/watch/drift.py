"""Drift within seconds: one metadata watch for each kind that plans say they manage, for all Plans together."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from execloop.kube import PLAN_UID_LABEL, EventType, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execloop.controller.watch.cache import Key
    from execloop.kube import ApiError, Kube

__all__ = ["DriftWatches"]

logger = logging.getLogger(__name__)


class DriftWatches:
    """`drifted` is told of each change to an object that carries the label of a Plan. Without the right to watch a kind
    its Plans work by `interval`; that is said once. Made on the event loop that it serves.
    """

    def __init__(self, kube: Kube, namespaces: Sequence[str], drifted: Callable[[Key], None]) -> None:
        self._kube, self._namespaces, self._drifted = kube, tuple(namespaces) or ("",), drifted
        self._loop = asyncio.get_running_loop()
        self._owners: dict[str, Key] = {}
        self._declared: dict[Key, object] = {}
        self._watches: dict[tuple[str, str], list[asyncio.Task[None]]] = {}

    def declare(self, key: Key, uid: str, plan: object) -> None:
        """Take a plan's attribute `watches`, pairs of (apiVersion, kind), if it has one. From any thread."""
        kinds = getattr(plan, "watches", None)
        if kinds:
            self._loop.call_soon_threadsafe(self._declare, key, uid, kinds)

    def forget(self, key: Key) -> None:
        self._declared.pop(key, None)
        self._owners = {uid: owner for uid, owner in self._owners.items() if owner != key}

    def _declare(self, key: Key, uid: str, kinds: object) -> None:
        if self._declared.get(key) == (uid, kinds):
            return
        self._declared[key] = uid, kinds
        try:
            pairs = [(str(api_version), str(kind)) for api_version, kind in kinds]  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            message = "its `watches` must be pairs of (apiVersion, kind), not %r; it works by interval"
            logger.warning(message, kinds, extra={"plan": str(key)})
            return
        self._owners[uid] = key
        for pair in pairs:
            if pair not in self._watches:
                self._watches[pair] = [self._loop.create_task(self._watch(pair, place)) for place in self._namespaces]

    async def _watch(self, kind: tuple[str, str], namespace: str) -> None:
        denied = partial(self._denied, kind)
        watch = Watch(self._kube, *kind, PLAN_UID_LABEL, self._changed, namespace=namespace, on_denied=denied)
        await watch.run()

    def _changed(self, event: EventType, metadata: dict[str, Any]) -> None:
        owner = self._owners.get(metadata.get("labels", {}).get(PLAN_UID_LABEL, ""))
        if owner is not None and event != "ADDED":
            self._drifted(owner)

    def _denied(self, kind: tuple[str, str], error: ApiError) -> None:
        logger.warning("%s may not be watched, so its drift is repaired at each Plan's interval: %s", kind[1], error)

    async def close(self) -> None:
        tasks = [task for tasks in self._watches.values() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
