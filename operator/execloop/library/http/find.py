"""Where a resource is, and how it is: by its URL, or among the pages of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from execloop._engine.errors import FatalError
from execloop.library.http.compare import at, differences
from execloop.library.http.errors import BadAnswer
from execloop.library.http.placeholders import filled_url, names

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from execloop.library.http.client import Answer
    from execloop.library.http.parameters import Parameters, Search
    from execloop.library.http.session import Session

__all__ = ["Found", "find", "remember"]

_CREATED: Final = "created"
_MOST_PAGES: Final = 100
_NEXT: Final = re.compile(r'<([^>]*)>[^,]*;\s*rel="?next"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    url: str
    object: Any = field(repr=False)
    etag: str | None = None


async def find(session: Session, parameters: Parameters, state: MutableMapping[str, Any]) -> Found | None:
    """Return the resource, None when it does not exist. Raises HttpError, Wait; FatalError for several."""
    url = parameters.url
    if parameters.search is not None:
        url = await _searched(session, parameters.search) or state.get(_CREATED)
    if url is None:
        return None
    answer = await session.send("GET", url, expected=tuple(parameters.absent))
    if answer.status in parameters.absent:
        state.pop(_CREATED, None)
        return None
    return Found(url, answer.json, answer.headers.get("ETag"))


def remember(state: MutableMapping[str, Any], search: Search | None, created: Any) -> None:
    """Keep the URL of what was created: some servers list it later, and a second one must not be created meanwhile."""
    if search is not None and isinstance(created, dict):
        url = _item_url(search, created)
        if not any(names(url)):
            state[_CREATED] = url


async def _searched(session: Session, search: Search) -> str | None:
    """Return the item's URL. All pages are read: a second item that matches must not be overlooked."""
    matching: list[Any] = []
    url = search.url
    for _ in range(_MOST_PAGES):
        answer = await session.send("GET", url)
        items = at(answer.json, search.items)
        if not isinstance(items, list):
            raise BadAnswer(f"{_place(url)}: the answer has no list at {search.items or 'its top'}: see search.items")
        matching += [item for item in items if not any(differences(search.match, item))]
        following = _next(search, answer)
        if following is None:
            return _one(search, matching)
        url = following
    raise BadAnswer(f"{_place(search.url)}: the list has over {_MOST_PAGES} pages: narrow the query of search.url")


def _one(search: Search, matching: list[Any]) -> str | None:
    if len(matching) > 1:
        raise FatalError(f"search: {len(matching)} items match, and one is to be managed: narrow search.match")
    if not matching:
        return None
    return _item_url(search, matching[0])


def _item_url(search: Search, item: Any) -> str:
    fields = {name: at(item, name) for name in names(search.item_url)}
    known = {name: str(value) for name, value in fields.items() if isinstance(value, str | int) and str(value)}
    return filled_url(search.item_url, known)


def _next(search: Search, answer: Answer) -> str | None:
    """Return the next page's URL: of the same server, which has our credentials already. Raises BadAnswer."""
    given = at(answer.json, search.next) if search.next is not None else next(_links(answer), None)
    if given in (None, "", False):
        return None
    if search.next_parameter is not None:
        return str(answer.url.update_query({search.next_parameter: str(given)}))
    url = answer.leads_to(given)
    if url.origin() != answer.url.origin():
        raise BadAnswer(f"{_place(search.url)}: the next page is on another server, {url.origin()}")
    return str(url)


def _links(answer: Answer) -> Iterator[str]:
    yield from _NEXT.findall(answer.headers.get("Link", ""))


def _place(url: str | None) -> str:
    return (url or "").partition("?")[0]
