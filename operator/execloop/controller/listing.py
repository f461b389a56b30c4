"""Whether the watch has told of every Plan yet: Kopf does not say when its first list has ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from execloop.controller.resource import API_VERSION, PLURAL
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.controller.track import Cache
    from execloop.kube import Connection

__all__ = ["all_listed"]

logger = logging.getLogger(__name__)

_AGAIN = 0.5
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def all_listed(connection: Connection, namespaces: Sequence[str], cache: Cache) -> None:
    """Until as many are known as there are."""
    while True:
        try:
            if len(cache) >= await _count(connection, namespaces):
                return
        except ApiError as error:
            logger.debug("the number of Plans: %s", error)
        await asyncio.sleep(_AGAIN)


async def _count(connection: Connection, namespaces: Sequence[str]) -> int:
    count = 0
    for place in [f"namespaces/{namespace}/" for namespace in namespaces] or [""]:
        path = f"/apis/{API_VERSION}/{place}{PLURAL}"
        page = await connection.request("GET", path, query={"limit": "1"}, accept=_METADATA)
        count += len(page["items"] or ()) + int(page["metadata"].get("remainingItemCount") or 0)
    return count
