"""A file that says, after the process was killed, which plan code ran in it.

`Suspects` notes each call here; `manager.crashes` reads the file when the next process starts. Writes go to the page
cache, which outlives the process, and are never synced: after a crash of the machine the file counts for nothing.
They are writes and no memory map, because a mapped file that something shortens ends the process with SIGBUS.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import struct
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from execloop.controller.plancode.crashes.suspicion import Call, Crash

__all__ = ["Journal", "Note"]

logger = logging.getLogger(__name__)

_MAGIC = b"execloop.journal"
_HEADER = struct.Struct("<16sB36s64s")
"""Magic, whether a process is at work, the boot of the machine, the uid of the suspect whose turn it is."""
_CLEAN, _AT_WORK = 0, 1
_TURN_AT = 16 + 1 + 36

_TEXT_AT, _TEXT_SIZE = 4096, 32 * 1024
_TEXT = struct.Struct("<II")
"""Length and checksum."""

_SLOT = struct.Struct("<BQ64s64s320sI")
"""Whether it is taken, the number of the call, uid, inputs, namespace/name, tasks left. It never crosses a page."""
_LEFT = struct.Struct("<I")
_LEFT_AT = _SLOT.size - _LEFT.size
_MOST_LEFT = 2**32 - 1
_SLOT_SIZE, _SLOTS, _SLOTS_AT = 512, 512, _TEXT_AT + _TEXT_SIZE
_FREE, _TAKEN = 0, 1

_SIZE = _SLOTS_AT + _SLOTS * _SLOT_SIZE
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Journal:
    """Calls of plan code under way, in a file. `note`, and what it returns, may be called from any thread.

    `open` always returns one; where the file cannot be used, `problem` says why, and nothing is noted.
    """

    LOCKED: Final = "another operator uses it"

    def __init__(self, path: Path, file: int | None = None, problem: str = "") -> None:
        self.path, self.problem = path, problem
        self._file, self._process = file, os.getpid()
        self._lock = threading.Lock()
        self._free = list(range(_SLOTS - 1, -1, -1))
        self._calls = 0

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open or make the file, and lock it for as long as this process lives."""
        if not hasattr(os, "pwrite"):
            return cls(path, problem="this system has no positioned writes")
        file = None
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            problem = _unusable(file)
        except OSError as error:
            problem = os.strerror(error.errno or 0)
        if problem and file is not None:
            os.close(file)
        return cls(path, None if problem else file, problem)

    def crash(self) -> Crash | None:
        """Return what ran when the last process ended; None if nothing did, or that end was in order."""
        if self._file is None:
            return None
        _, state, boot, turn = _HEADER.unpack(os.pread(self._file, _HEADER.size, 0))
        if state != _AT_WORK or boot != _boot():
            return None
        slots = (os.pread(self._file, _SLOT.size, _slot_at(number)) for number in range(_SLOTS))
        taken = sorted(filter(None, map(_call, slots)))
        return Crash(tuple(call for _, call in taken), _text(turn) or "") if taken else None

    def begin(self) -> None:
        """Forget the calls of the last process. From now on this one is at work."""
        self._write(bytes(_SLOTS * _SLOT_SIZE), _SLOTS_AT)
        self._write(_HEADER.pack(_MAGIC, _AT_WORK, _boot(), b""), 0)

    def end(self) -> None:
        """Note that the end of this process, whenever it comes, is in order."""
        self._write(bytes([_CLEAN]), len(_MAGIC))

    def note(self, call: Call) -> Note:
        """Note a call. One beyond 512 at a moment is not noted."""
        with self._lock:
            self._calls += 1
            number, slot = self._calls, self._free.pop() if self._free else None
        if slot is None:
            return Note(self, None)
        fields = _bytes(call.uid, 64), _bytes(call.inputs, 64), _bytes(call.plan, 320), min(call.left, _MOST_LEFT)
        self._write(_SLOT.pack(_TAKEN, number, *fields), _slot_at(slot))
        return Note(self, slot)

    def write_left(self, note: Note, tasks: int) -> None:
        """Note how many tasks the plan of a call returned."""
        with self._lock:  # the slot may be another call's from now on
            if note.slot is not None:
                self._write(_LEFT.pack(min(tasks, _MOST_LEFT)), _slot_at(note.slot) + _LEFT_AT)

    def take_away(self, note: Note) -> None:
        """Take a note away, once."""
        with self._lock:
            if note.slot is not None:
                self._write(bytes([_FREE]), _slot_at(note.slot))
                self._free.append(note.slot)
                note.slot = None

    def turn(self, uid: str) -> None:
        """Note whose turn it is among the suspects; empty for none."""
        self._write(_bytes(uid, 64).ljust(64, b"\0"), _TURN_AT)

    @property
    def text(self) -> str:
        """What was kept last; empty when nothing was, or when it cannot be read."""
        if self._file is None:
            return ""
        length, checksum = _TEXT.unpack(os.pread(self._file, _TEXT.size, _TEXT_AT))
        data = os.pread(self._file, min(length, _TEXT_SIZE), _TEXT_AT + _TEXT.size)
        return data.decode(errors="replace") if zlib.crc32(data) == checksum else ""

    def keep(self, text: str) -> None:
        """Keep a text for the next process; one that is too long is not kept."""
        data = text.encode(errors="replace")
        if len(data) <= _TEXT_SIZE - _TEXT.size:
            self._write(_TEXT.pack(len(data), zlib.crc32(data)) + data, _TEXT_AT)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _write(self, data: bytes, where: int) -> None:
        file = self._file
        if file is None or os.getpid() != self._process:  # a child of plan code must not speak for its parent
            return
        try:
            os.pwrite(file, data, where)
        except OSError as error:
            if self._file is not None:
                self.problem, self._file = os.strerror(error.errno or 0), None
                logger.warning("the journal %s cannot be written: %s; working without it", self.path, self.problem)


class Note:
    """The note of one call; called, it is taken away."""

    __slots__ = ("_journal", "slot")

    def __init__(self, journal: Journal, slot: int | None) -> None:
        self._journal, self.slot = journal, slot

    def left(self, tasks: int) -> None:
        """Note how many tasks the plan returned."""
        self._journal.write_left(self, tasks)

    def __call__(self) -> None:
        self._journal.take_away(self)


def _unusable(file: int) -> str:
    """Return why a file cannot be the journal of this process; empty when it is."""
    import fcntl  # noqa: PLC0415 - absent on Windows

    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            return Journal.LOCKED
        raise
    if found.st_size == 0 and os.pwrite(file, bytes(_SIZE), 0) != _SIZE:
        with suppress(OSError):
            os.ftruncate(file, 0)
        return os.strerror(errno.ENOSPC)
    header = os.pread(file, _HEADER.size, 0)
    if os.fstat(file).st_size != _SIZE or (header.strip(b"\0") and not header.startswith(_MAGIC)):
        return "it is not a journal of this version: delete it, or name another file"
    return ""


def _slot_at(number: int) -> int:
    return _SLOTS_AT + number * _SLOT_SIZE


def _call(slot: bytes) -> tuple[int, Call] | None:
    state, number, *fields, left = _SLOT.unpack(slot)
    uid, inputs, plan = map(_text, fields)
    if state != _TAKEN or not uid or inputs is None or plan is None:
        return None
    return number, Call(uid, plan, inputs, left)


def _bytes(text: str, most: int) -> bytes:
    return text.encode(errors="replace")[:most]


def _text(field: bytes) -> str | None:
    """Return None for what no operator wrote."""
    try:
        text = field.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _boot() -> bytes:
    """Return what differs after each start of the machine, where the system tells it."""
    try:
        return _BOOT.read_bytes()[:36].ljust(36, b"\0")
    except OSError:
        return bytes(36)
