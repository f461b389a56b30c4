"""Objects of one kind, listed and watched by requests of a connection: what a `Stream` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.kube.http.connection import JSON
from execloop.kube.watch.answers import Page

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from execloop.kube.http.connection import Connection

__all__ = ["ObjectListWatch"]

_PAGE = "500"


class ObjectListWatch:
    """`path` finds the collection, before each list and watch. `list_as`, `watch_as`: the form to ask for."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        path: Callable[[], Awaitable[str]],
        selection: Mapping[str, str] | None = None,
        *,
        list_as: str = JSON,
        watch_as: str = JSON,
    ) -> None:
        self.name = name
        self._connection, self._path, self._selection = connection, path, dict(selection or {})
        self._list_as, self._watch_as = list_as, watch_as

    async def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        path, query = await self._path(), {**self._selection, **({} if whole else {"limit": _PAGE})}
        while True:
            page = await self._connection.request("GET", path, query=query, accept=self._list_as)
            metadata = page.get("metadata") or {}
            yield Page(page.get("items") or [], metadata.get("resourceVersion"))  # null when there is none
            if not (place := metadata.get("continue")):
                return
            query["continue"] = place

    async def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        query = {
            **self._selection,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": f"{seconds:.0f}",
            "resourceVersion": version,
        }
        async for event in self._connection.stream(await self._path(), query, accept=self._watch_as):
            yield event
