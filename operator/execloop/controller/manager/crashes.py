"""What a process learns from the end of the one before it, and how all that may own the Plans know of it.

The process opens the journal at start, reports what it says before anything else, and keeps the suspects written down
while it leads: in an annotation of the Lease, or in the journal where there is no Lease.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspects import Suspects
from execloop.controller.plancode.crashes.suspicion import CRASHES, Crash, Suspicion, after, decode, encode
from execloop.kube import ApiError, edit_annotation

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from execloop.controller.settings import Settings
    from execloop.kube import Connection, Lease

__all__ = ["ANNOTATION", "Crashes", "InJournal", "OnLease", "SuspectRecord", "open_journal"]

logger = logging.getLogger(__name__)

ANNOTATION = "execloop.dev/suspects"

_SAME_MACHINE = 4
"""Replicas that may share a temporary folder."""
_LOOK = 2.0
_SHOWN = 10


class SuspectRecord(Protocol):
    """Where the suspects are written down."""

    def text(self) -> str:
        """Return what is known to stand there."""
        ...

    async def edit(self, edit: Callable[[str], str]) -> str:
        """Return the new text. Raises ApiError."""
        ...


class OnLease:
    def __init__(self, connection: Connection, lease: Lease) -> None:
        self._connection, self._lease = connection, lease

    def text(self) -> str:
        return self._lease.annotation(ANNOTATION)

    async def edit(self, edit: Callable[[str], str]) -> str:
        return await edit_annotation(self._connection, (self._lease.namespace, self._lease.name), ANNOTATION, edit)


class InJournal:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def text(self) -> str:
        return self._journal.text

    async def edit(self, edit: Callable[[str], str]) -> str:
        text = edit(self._journal.text)
        self._journal.keep(text)
        return text


class Crashes:
    """`report` once at start; `begin` and `keep` when this process owns the Plans; `settle` when its end is in order.

    `suspects` is what the controller and the reconciler ask.
    """

    def __init__(self, journal: Journal, record: SuspectRecord) -> None:
        self.journal, self._record = journal, record
        self._changed = asyncio.Event()
        self._seen = ""
        self._at_work = False
        self._unreported = journal.crash()
        self.suspects = Suspects(journal, changed=self._changed.set)
        if journal.problem:
            why = "if plan code ends this process, its Plan cannot be named"
            logger.warning("no journal at %s: %s; %s", journal.path, journal.problem, why)

    async def report(self) -> None:
        """SuspectRecord the Plans that the end of the last process makes suspect, for any process that may own them."""
        if (crash := self._unreported) is not None:
            try:
                _log(crash, await self._add(crash))
            except ApiError as error:
                logger.warning("the suspects of a crash are not recorded yet: %s", error)
                _log(crash, self._known(self._record.text()))
        self.journal.begin()
        self._at_work = True

    def begin(self) -> None:
        """Take over what is written down, before the first Plan is looked at."""
        self._seen = self._record.text()
        self.suspects.load(self._known(self._seen))

    async def keep(self) -> None:
        """Write down who was cleared, and learn what other processes report; runs until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._write()
            except ApiError as error:
                logger.debug("the suspects are not recorded yet: %s", error)
            if self._record.text() != self._seen:
                self.begin()

    def settle(self) -> None:
        """The end was asked for, or is our own doing: no plan is to blame for it."""
        if self._at_work:  # before that the file still speaks of the last process
            self.journal.end()

    async def _write(self) -> None:
        if (crash := self._unreported) is not None:
            await self._add(crash)
        cleared = frozenset(self.suspects.cleared)
        if cleared:
            await self._record.edit(lambda text: encode(_without(cleared, decode(text))))
            self.suspects.cleared -= cleared

    async def _add(self, crash: Crash) -> dict[str, Suspicion]:
        written = await self._record.edit(lambda text: encode(after(crash, decode(text))))
        self._unreported = None
        return decode(written)

    def _known(self, text: str) -> dict[str, Suspicion]:
        known = decode(text)
        return known if self._unreported is None else after(self._unreported, known)


def _without(cleared: Container[str], known: Mapping[str, Suspicion]) -> dict[str, Suspicion]:
    return {uid: suspicion for uid, suspicion in known.items() if uid not in cleared}


def _log(crash: Crash, known: Mapping[str, Suspicion]) -> None:
    names = sorted({call.plan for call in crash.calls})
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    logger.error("the last process ended without warning while it ran the plan code of %s", shown)
    for call in crash.calls:
        if call.uid == crash.sole and call.uid in known:
            count = known[call.uid].crashes
            extra = {"plan": call.plan}
            logger.error("Plan %s: its code ended the process, %d of %d times", call.plan, count, CRASHES, extra=extra)
            return


def open_journal(settings: Settings, server: str) -> Journal:
    """Return the journal at `--journal`, else one in the temporary folder, named after what is watched."""
    if settings.journal is not None:
        return Journal.open(settings.journal)
    election = settings.election
    scope = (server, *sorted(settings.namespaces), election and (election.namespace, election.name))
    name = hashlib.sha256(repr(scope).encode()).hexdigest()[:12]
    folder, user = Path(tempfile.gettempdir()), os.getuid() if hasattr(os, "getuid") else 0
    for replica in range(_SAME_MACHINE):
        journal = Journal.open(folder / f"execloop-{user}-{name}-{replica}.journal")
        if journal.problem != Journal.LOCKED:
            break
    return journal
