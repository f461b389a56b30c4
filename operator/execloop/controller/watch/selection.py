"""Which Plans the API server sends: by their labels, and by the ranges of this replica where it can (KEP-5866).

The watch of Plans asks before each list. A server without the feature ignores `shardSelector`, and lists of custom
resources do not say whether it counted; but only a server with the feature refuses a wrong one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.kube import Connection

__all__ = ["Selection"]

logger = logging.getLogger(__name__)

_WRONG = "unknown"
_REFUSED = "shard selector"
"""The API server refuses with 500, and these words. It is an alpha feature."""


class Selection:
    """`labels` is a label selector, `shard` returns the `shardSelector` of the moment; both empty for all Plans."""

    def __init__(self, connection: Connection, labels: str, shard: Callable[[], str]) -> None:
        self._connection, self._labels, self._shard = connection, labels, shard
        self._known: bool | None = None

    async def parameters(self, path: str) -> dict[str, str]:
        """Return the parameters of a list and of the watch after it. Raises ApiError."""
        found = {"labelSelector": self._labels} if self._labels else {}
        if (shard := self._shard()) and await self._is_known(path):
            found["shardSelector"] = shard
        return found

    async def _is_known(self, path: str) -> bool:
        """Return whether the API server filters by `shardSelector`: then it refuses one that is wrong."""
        try:
            await self._connection.request("GET", path, query={"limit": "1", "shardSelector": _WRONG})
        except ApiError as error:
            if _REFUSED not in error.message:
                raise
            known = True
        else:
            known = False
        if known is not self._known:
            self._known = known
            if known:
                logger.info("the API server sends only the Plans of this replica's ranges")
            else:
                logger.warning("the API server sends the Plans of all ranges: its feature ShardedListAndWatch is off")
        return known
