"""Asynchronous operations: what a server accepted, and has not done yet. Their URLs are kept between the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from execloop._engine.waits import Wait
from execloop.library.cel.expression import compile_expression
from execloop.library.http.compare import at
from execloop.library.http.errors import BadAnswer, HttpError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from execloop.library.http.client import Answer
    from execloop.library.http.parameters import Poll
    from execloop.library.http.session import Session

__all__ = ["follow", "note"]

_KEY: Final = "operation"
_HEADERS: Final = ("Operation-Location", "Azure-AsyncOperation", "Location")
_ACCEPTED: Final = 202
_GONE: Final = (404, 410)
_LONGEST: Final = 2048


def note(state: MutableMapping[str, Any], poll: Poll | None, answer: Answer) -> None:
    """Keep where the operation is that an answer speaks of. Raises BadAnswer when it is on another server."""
    if poll is None or answer.status != _ACCEPTED:
        return
    given = at(answer.json, poll.url) if poll.url is not None else _of_headers(answer)
    if not isinstance(given, str) or not given:
        return
    url = answer.leads_to(given)
    if url.origin() != answer.url.origin() or len(str(url)) > _LONGEST:
        raise BadAnswer(f"{answer.url.origin()}: the operation is on another server, {url.origin()}")
    state[_KEY] = str(url)


async def follow(state: MutableMapping[str, Any], poll: Poll | None, session: Session) -> None:
    """Ask for the operation that is kept, if one is; forget it when it has ended.

    Raises:
        Wait: It has not ended.
        HttpError: It has failed.

    """
    if poll is None or _KEY not in state:
        return
    answer = await session.send("GET", state[_KEY], expected=_GONE)
    if answer.status in _GONE:  # those that have ended are removed after a while
        del state[_KEY]
        return
    if _holds(poll.failed, answer.json):
        del state[_KEY]
        raise HttpError(f"{answer.url.origin()}{answer.url.raw_path}: the operation failed")
    if not _holds(poll.done, answer.json):
        raise Wait(f"the operation {answer.url.raw_path} of {answer.url.origin()}", again_in=poll.every)
    del state[_KEY]


def _holds(rule: str, value: Any) -> bool:
    return bool(compile_expression(rule, ["object"], bool).evaluate({"object": value}))


def _of_headers(answer: Answer) -> str | None:
    return next((answer.headers[name] for name in _HEADERS if name in answer.headers), None)
