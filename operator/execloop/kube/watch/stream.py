"""List, then watch, for ever: what every watch of the operator shares, wherever its objects come from.

`metadata.Watch` runs one for each kind that is watched, the controller one for the Plans of each namespace.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, TypeAlias, TypeVar

from execloop.kube.errors import ApiError
from execloop.kube.watch.answers import checked, identity, nonsense, number, parts
from execloop.kube.watch.early import EarlyWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from execloop.kube.watch.answers import EventType, Identity, Page

__all__ = ["ListWatch", "Receiver", "Restart", "Stream", "WatchTimes"]

T = TypeVar("T")

Restart: TypeAlias = Literal["error", "gone", "refused", "silent"]
"""Why a watch began again before its time."""

logger = logging.getLogger(__name__)

_SILENT = "Silent"
_USUAL = frozenset({"gone", "silent"})
"""What happens to a sound watch: the server forgets old versions, and may have nothing to say."""
_TIMER_SECONDS = 1.0
_AT_ONCE = 50
"""Objects of a list that are taken in one turn of the event loop: a few milliseconds."""
_OVERLOADED = frozenset({429, 503})
_JITTER = 0.25
_MOST_DOUBLINGS = 16


class ListWatch(Protocol):
    """Objects of one kind in one place. Raises ApiError."""

    @property
    def name(self) -> str:
        """What it is, in messages: `Plans in team-a`."""

    def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        """A list; `whole`: in one page, however long."""

    def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        """What has happened since a version: the events of one watch that asks the server for bookmarks, and to end
        after so many seconds.
        """


class Receiver(Protocol):
    """What a stream reports to. What it raises is logged, and everything is listed again."""

    def found(self, found: dict[str, Any], /) -> None:
        """An object of a list."""

    def listed(self, present: set[Identity], /) -> None:
        """A list has ended; no other objects exist."""

    def changed(self, event: EventType, subject: dict[str, Any], /) -> None:
        """An event of the watch."""

    def refused(self, error: ApiError, /) -> None:
        """The server does not allow it (401, 403), at each attempt."""

    def absent(self) -> None:
        """The server does not know the kind (404), at each attempt."""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """Seconds."""

    silence: float = 75.0
    """A watch from which nothing came for so long may be dead. A server sends a bookmark each minute."""
    watch: float = 600.0
    """How long the server is asked to keep a watch open."""
    probe: float = 10.0
    """The same for one that has to prove itself: a proxy that buffers hands over what it holds when a watch ends."""
    probation: float = 3600.0
    """How long watches stay short after changes did not come through a long one."""
    brief: float = 1.0
    """A watch that ends sooner was none."""
    steady: float = 30.0
    """A watch that lasts longer ends a series of failures, even when nothing happens."""
    first_pause: float = 1.0
    longest_pause: float = 30.0
    """Pauses double between these two, with jitter."""
    longest_refusal: float = 300.0
    """The longest pause after an answer that hardly changes soon: no right to watch, no such kind."""
    patience: float = 60.0
    """A stream that is down for a shorter time is not a problem."""


class Stream:
    """Tells the receiver of each object and of each change, whatever the server does, until it is cancelled.

    `early`: while a list of several pages is read, a watch brings what is new; else that waits for the last page.
    """

    def __init__(
        self,
        list_watch: ListWatch,
        receiver: Receiver,
        *,
        restarted: Callable[[Restart], None] = lambda _reason: None,
        times: WatchTimes = WatchTimes(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        early: bool = False,
    ) -> None:
        self._list_watch, self._receiver, self._restarted = list_watch, receiver, restarted
        self._times, self._sleep, self._chance, self._early = times, sleep, chance, early
        self._version: str | None = None
        """What the next watch continues; None: list first."""
        self._whole = False
        self._failures = 0
        self._heard = False
        """Whether the watch at hand has brought anything."""
        self._listed = False
        self._down_since: float | None = None
        self._cause = ""
        self._unheard: str | None = None
        """The version of a watch that fell silent, until a list shows whether it had missed anything."""
        self._on_probation_until = 0.0
        self._stale = False
        """Whether to list again before anything else."""
        self._following: asyncio.Timeout | None = None
        self.lists = 0
        """How many lists have begun."""

    @property
    def version(self) -> str | None:
        """How far it has come; None while it lists."""
        return self._version

    @property
    def follows(self) -> bool:
        """Return whether a watch is open, after a list and without an error since the last event."""
        return self.up and self._following is not None and not self._stale

    @property
    def up(self) -> bool:
        return self._listed and self._down_since is None

    @property
    def problem(self) -> str:
        """Why it does not work, when it has never worked or is down for long; empty otherwise."""
        if self._down_since is None:
            return ""
        seconds = _now() - self._down_since
        if not self._listed:
            return f"{self._list_watch.name} cannot be listed: {self._cause}"
        if seconds < self._times.patience:
            return ""
        return f"{self._list_watch.name}: the watch is down for {seconds:.0f} s: {self._cause}"

    async def run(self) -> NoReturn:
        while True:
            await self._sleep(await self._turn())

    def relist(self) -> None:
        """List again, at once if a watch is open: the receiver wants to know of more objects than before."""
        self._stale = True
        if self._following is not None:
            self._following.reschedule(_now())

    async def _turn(self) -> float:
        """List if that is needed, then watch until the watch ends. Seconds to wait before the next turn."""
        began, self._heard = _now(), False
        try:
            if self._version is None or self._stale:
                self._stale, self._version = False, None  # a list that fails is read again
                self._version = await self._list()
                began = _now()
            await self._follow_until_stale(self._version)
        except Exception as error:  # noqa: BLE001 - a stream that ends would go unnoticed
            if _now() - began >= (self._times.brief if self._heard else self._times.steady):
                self._failures = 0
            return self._failed(error if isinstance(error, ApiError) else _unexpected(error))
        self._works()
        self._failures = 0
        return 0.0

    async def _list(self) -> str:
        present: set[Identity] = set()
        version, missed = "", 0
        self.lists += 1
        async with (
            EarlyWatch(self._list_watch, self._receiver, self._times.watch) as early,
            aclosing(_bounded(self._list_watch.pages(whole=self._whole), self._times.silence)) as pages,
        ):
            try:
                async for page in pages:
                    version = checked(page)
                    missed += await self._take_page(page, present, early)
                    if self._early:
                        early.begin(version)  # a list that has no further page ends before this does anything
            except ApiError as error:
                self._whole = error.gone  # the server forgot where the pages were
                raise
        if not version:
            raise nonsense()
        self._listed, self._whole = True, False
        self._receiver.listed(early.corrected(present))
        self._end_silence(missed)
        return early.version or version

    async def _take_page(self, page: Page, present: set[Identity], early: EarlyWatch) -> int:
        """Take the objects of a page; return how many of them a silent watch has missed."""
        missed = 0
        for count, found in enumerate(page.objects, 1):
            name = identity(found["metadata"])
            present.add(name)
            missed += self._missed(found)
            if not early.knows(name):
                self._receiver.found(found)
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)  # whatever else is due must not wait for a page
        return missed

    async def _follow_until_stale(self, version: str) -> None:
        if self._stale:
            return
        try:
            async with asyncio.timeout(None) as self._following:
                await self._follow(version)
        except TimeoutError:
            if not self._stale:
                raise
        finally:
            self._following = None

    async def _follow(self, version: str) -> None:
        short = self._down_since is not None or _now() < self._on_probation_until
        seconds = self._times.probe if short else self._times.watch
        silence, began = min(self._times.silence, 2 * seconds), _now()
        async with aclosing(_bounded(self._list_watch.events(version, seconds), silence)) as events:
            try:
                async for event in events:
                    self._take(event)
            except ApiError as error:
                if error.reason == _SILENT:
                    self._unheard = self._version
                raise
        if _now() - began < self._times.brief:
            raise ApiError(0, "Disconnected", "the server ended the watch at once")

    def _take(self, event: object) -> None:
        kind, subject = parts(event)
        self._works()
        self._heard = True
        if kind != "BOOKMARK":
            self._receiver.changed(kind, subject)
        self._version = subject["metadata"].get("resourceVersion") or self._version

    def _missed(self, found: dict[str, Any]) -> bool:
        """Whether a watch that fell silent should have reported this object."""
        return self._unheard is not None and number(found["metadata"].get("resourceVersion")) > number(self._unheard)

    def _end_silence(self, missed: int) -> None:
        """Silence alone is not an error: not every server sends bookmarks while nothing happens."""
        if missed:
            self._on_probation_until = _now() + self._times.probation
            self._fall(f"the watch was silent while objects changed ({missed}): does a proxy buffer it?")
        self._unheard = None

    def _failed(self, error: ApiError) -> float:
        """Take note of an error. Seconds to wait before the next attempt."""
        self._restarted(reason := _reason(error))
        if error.reason == _SILENT or (error.status and error.status not in _OVERLOADED):
            self._version = None  # whatever the server made of it, a list is the truth
        if error.unauthorized or error.forbidden:
            self._receiver.refused(error)
        if error.not_found:
            self._receiver.absent()
        self._failures += 1
        if self._failures == 1 and reason in _USUAL:
            return 0.0
        self._fall(str(error), logging.INFO if error.not_found else logging.WARNING)
        return self._pause(error)

    def _fall(self, cause: str, level: int = logging.WARNING) -> None:
        if self._down_since is None:
            self._down_since = _now()
        if self._cause != cause:
            self._cause = cause
            logger.log(level, "%s: %s; trying again", self._list_watch.name, cause)

    def _works(self) -> None:
        if self._down_since is not None:
            logger.info("%s: the watch works again after %.0f s", self._list_watch.name, _now() - self._down_since)
            self._down_since, self._cause = None, ""

    def _pause(self, error: ApiError) -> float:
        hopeless = error.unauthorized or error.forbidden or error.not_found
        longest = self._times.longest_refusal if hopeless else self._times.longest_pause
        pause = min(longest, self._times.first_pause * 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS))
        return max(pause * (1 + _JITTER * (2 * self._chance() - 1)), min(error.retry_after or 0.0, longest))


async def _bounded(items: AsyncGenerator[T, None], silence: float) -> AsyncGenerator[T, None]:
    """The items. Raises ApiError when the next does not come in time."""
    try:
        async with aclosing(items), asyncio.timeout(silence) as deadline:
            latest = _now()
            async for item in items:
                yield item
                if (now := _now()) - latest > _TIMER_SECONDS:  # a new timer for each item would cost too much
                    latest = now
                    deadline.reschedule(now + silence)
    except TimeoutError:
        raise ApiError(0, _SILENT, f"nothing came for {silence:.0f} s") from None


def _unexpected(error: Exception) -> ApiError:
    logger.error("an error of the operator in a watch", exc_info=error)
    return ApiError(500, "Unexpected", f"{type(error).__name__}: {error}")


def _reason(error: ApiError) -> Restart:
    if error.gone:
        return "gone"
    if error.unauthorized or error.forbidden:
        return "refused"
    return "silent" if error.reason == _SILENT else "error"


def _now() -> float:
    return asyncio.get_running_loop().time()
