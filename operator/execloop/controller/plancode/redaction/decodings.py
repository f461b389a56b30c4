"""What else a text says: with its escapes, percent-encoding and base64 undone. The redactor looks at each reading."""

from __future__ import annotations

import binascii
import re
from array import array
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Reading", "readings"]

_ESCAPE: Final = re.compile(
    rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"  # a surrogate pair
    rb"|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(x[0-9a-fA-F]{2}|[0-7]{3})|(.))",
    re.DOTALL,
)
_LETTERS: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_PERCENT: Final = re.compile(rb"%([0-9a-fA-F]{2})")
_FORM: Final = re.compile(rb"%([0-9a-fA-F]{2})|\+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{6,}")
_ONE_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")
_ESCAPED_AT_MOST: Final = 3
_LAST_CODE_POINT: Final = 0x10FFFF


class Reading(Protocol):
    @property
    def data(self) -> bytes: ...

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of the data stands in the text that was given."""


def readings(text: bytes) -> Iterator[Reading]:
    """The text itself, and whatever it is the encoding of."""
    plain = _Text(text)
    for reading in (plain, *_unescaped(plain), *_unquoted(plain)):
        yield reading
        for run in _BASE64.finditer(reading.data):
            for skipped in range(4):
                decoded = _Base64(reading, run[0][skipped:], run.start() + skipped)
                yield decoded
                yield from _unescaped(decoded)


class _Text:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def source(self, start: int, end: int) -> tuple[int, int]:
        return start, end


class _Substituted:
    """`starts` and `ends` say for each byte which part of the reading it was made from stands for it."""

    def __init__(self, of: Reading, data: bytes, starts: array[int], ends: array[int]) -> None:
        self._of, self.data, self._starts, self._ends = of, data, starts, ends

    def source(self, start: int, end: int) -> tuple[int, int]:
        return self._of.source(self._starts[start], self._ends[end - 1])


class _Base64:
    """What a run of its characters, which begins at `place` of another reading, is the encoding of."""

    def __init__(self, of: Reading, run: bytes, place: int) -> None:
        padded = run.translate(_ONE_ALPHABET) + b"A" * (-len(run) % 4)
        self._of, self._place, self.data = of, place, binascii.a2b_base64(padded)[: len(run) * 6 // 8]

    def source(self, start: int, end: int) -> tuple[int, int]:
        return self._of.source(self._place + start * 8 // 6, self._place + (end * 8 + 5) // 6)


def _unescaped(reading: Reading) -> Iterator[Reading]:
    """With the escapes of JSON, Python and Go undone, and undone again; two digits stand for a character or a byte."""
    current: Reading | None = reading
    for _ in range(_ESCAPED_AT_MOST):
        if current is None or b"\\" not in current.data:
            return
        as_bytes = _substituted(current, _ESCAPE, _byte)
        current = _substituted(current, _ESCAPE, _character)
        if current is not None:
            yield current
        if as_bytes is not None and current is not None and as_bytes.data != current.data:
            yield as_bytes


def _unquoted(reading: Reading) -> Iterator[Reading]:
    """With percent-encoding undone: a URL's, where `+` is one, and a form's, where `+` is a space."""
    for pattern in (_PERCENT, _FORM) if b"%" in reading.data or b"+" in reading.data else ():
        if (plain := _substituted(reading, pattern, _quoted)) is not None:
            yield plain


def _substituted(
    of: Reading, pattern: re.Pattern[bytes], stands_for: Callable[[re.Match[bytes]], bytes]
) -> Reading | None:
    data, starts, ends, done = bytearray(), array("L"), array("L"), 0

    def keep(until: int) -> None:
        data.extend(of.data[done:until])
        starts.extend(range(done, until))
        ends.extend(range(done + 1, until + 1))

    for match in pattern.finditer(of.data):
        keep(match.start())
        meant, done = stands_for(match), match.end()
        data.extend(meant)
        starts.extend([match.start()] * len(meant))
        ends.extend([done] * len(meant))
    if not done:
        return None
    keep(len(of.data))
    return _Substituted(of, bytes(data), starts, ends)


def _character(match: re.Match[bytes]) -> bytes:
    high, low, four, eight, short, letter = match.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    if high is not None:
        point = 0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF)
    elif short is not None:
        point = int(short[1:], 16) if short.startswith(b"x") else int(short, 8)
    else:
        point = int(four or eight, 16)
    return chr(point).encode("utf-8", "surrogatepass") if point <= _LAST_CODE_POINT else match[0]


def _byte(match: re.Match[bytes]) -> bytes:
    short = match[5]
    if short is None:
        return _character(match)
    return bytes([int(short[1:], 16) if short.startswith(b"x") else int(short, 8) & 0xFF])


def _quoted(match: re.Match[bytes]) -> bytes:
    return b" " if match[1] is None else bytes([int(match[1], 16)])
