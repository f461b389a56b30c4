"""Plans that went while the watch had a gap: nobody reports them, so their names are looked up now and then."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from execloop.controller.resource import API_VERSION, PLURAL
from execloop.controller.track import Key
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.track import Cache
    from execloop.kube import Kube

__all__ = ["sweep"]

logger = logging.getLogger(__name__)

_EVERY = 600.0
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def sweep(kube: Kube, cache: Cache) -> None:
    """Every ten minutes, until cancelled."""
    while True:
        await asyncio.sleep(_EVERY)
        try:
            await _drop_what_went(kube, cache)
        except ApiError as error:
            logger.debug("names of Plans: %s", error)


async def _drop_what_went(kube: Kube, cache: Cache) -> None:
    for namespace in {key.namespace for key in cache}:
        known = {key: track.uid for key in cache if key.namespace == namespace and (track := cache.get(key))}
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"
        answer = await kube.connection.request("GET", path, accept=_METADATA)
        there = {Key(namespace, item["metadata"]["name"]): item["metadata"]["uid"] for item in answer["items"] or ()}
        for key, uid in known.items():
            if there.get(key) != uid:
                cache.drop(key, uid)
