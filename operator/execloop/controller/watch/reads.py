"""What plans read and do not own: when one of those objects changes, the Plan looks again.

`drift` keeps it, and declares what the plan that was made last says.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

from execloop.controller.watch.gaps import Gaps
from execloop.controller.watch.references import Reference, References

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execloop.controller.watch.cache import Key
    from execloop.kube import Kube, Restart

__all__ = ["Reads", "read_by"]

_BUILT_IN = "execloop.library."
_MOST = 50
"""Objects of one Plan; what is beyond is looked at by interval."""
_MOST_WATCHES = 200
"""Kinds and namespaces of all Plans together: each is a connection."""


def read_by(key: Key, plan: object) -> tuple[Reference, ...]:
    """Return the objects of the Plan's own namespace that a built-in plan names in its attribute `reads`.

    An object of another namespace is left out: who writes the Plan need not see when it changes.
    """
    if not type(plan).__module__.startswith(_BUILT_IN):
        return ()
    declared: Any = getattr(plan, "reads", ())
    references = (Reference(*each) for each in islice(declared, _MOST))
    return tuple(one for one in references if one.namespace == key.namespace)


class Reads:
    """`changed` is called for each change, at most as often as `Gaps` lets it. On the event loop."""

    def __init__(
        self,
        kube: Kube,
        namespaces: Sequence[str],
        changed: Callable[[Key], None],
        restarted: Callable[[Restart], None] = lambda _reason: None,
    ) -> None:
        self._changed, self._loop = changed, asyncio.get_running_loop()
        self._gaps: dict[Key, Gaps] = {}
        self._references = References(
            kube,
            namespaces,
            self._seen,
            restarted,
            sees_all_plans=False,
            most_watches=_MOST_WATCHES,
            from_the_start=False,  # the plan reads them itself in a moment
        )

    def declare(self, key: Key, references: Sequence[Reference]) -> None:
        self._references.refer(key, references)
        if references:
            self._gaps.setdefault(key, Gaps())
        else:
            self._gaps.pop(key, None)

    def forget(self, key: Key) -> None:
        self.declare(key, ())

    def _seen(self, key: Key, metadata: dict[str, Any]) -> None:
        wait = self._gaps[key].wait((metadata.get("namespace"), metadata["name"]), self._loop.time())
        if wait == 0:
            self._changed(key)
        elif wait is not None:
            self._loop.call_later(wait, self._later, key, self._gaps[key])

    def _later(self, key: Key, gaps: Gaps) -> None:
        if self._gaps.get(key) is gaps:
            self._changed(key)

    async def close(self) -> None:
        await self._references.close()
