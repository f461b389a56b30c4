"""The one redactor between what plan code says and every way out: status, Events, logs, history.

It takes values out wherever they stand in a message: as they are, line by line, escaped (JSON, Python, Go),
percent-encoded, in base64, and cut short by an ellipsis, as pydantic does. What it cannot know is a value that plan
code split, reversed or hashed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final

from execloop._engine.errors import summary
from execloop.controller.plancode.redaction.decodings import readings
from execloop.controller.plancode.redaction.needles import SHORTEST, Needles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from execloop.controller.plancode.redaction.decodings import Reading

__all__ = ["LONGEST", "MASK", "Redactor", "leaves", "names"]

MASK: Final = "…"
LONGEST: Final = 32 * 1024
"""Characters of a message that are looked at; the rest is cut off. No way out shows as many."""

_ELLIPSIS = re.compile("\\.\\.\\.|…".encode())

_Span = tuple[int, int]


class Redactor:
    """`secrets` are the values that must not be seen; `others` are taken out just as well.

    A secret under 4 characters stands in every message: taking it out there would tell it by what is missing. So it is
    taken out only where it is a word, and of an error only the type is shown.
    """

    def __init__(self, secrets: Iterable[str] = (), others: Iterable[str] = ()) -> None:
        hidden = {form for secret in secrets for form in _forms(secret)}
        self._terse = any(len(form) < SHORTEST for form in hidden)
        hidden.update(form for other in others for form in _forms(other))
        self._words = frozenset(form for form in hidden if len(form) < SHORTEST)
        self._needles = Needles(_encoded(form) for form in hidden if len(form) >= SHORTEST)

    @cached_property
    def _reversed(self) -> Needles:
        return self._needles.reversed()

    def text(self, message: str) -> str:
        """The message with an ellipsis in place of secret values; of those under 4 characters where they are words."""
        if not self._needles and not self._words:
            return message
        if len(message) > LONGEST:
            message = message[:LONGEST] + MASK
        data = _encoded(message)
        spans = [reading.source(*span) for reading in readings(data) for span in self._spans(reading)]
        spans += _words(message, self._words)
        return _masked(data, spans).decode("utf-8", "replace") if spans else message

    def error(self, error: BaseException) -> str:
        """`TypeName: message`, and the type alone when there is a secret under 4 characters."""
        return type(error).__name__ if self._terse else self.text(summary(error))

    def _spans(self, reading: Reading) -> Iterator[_Span]:
        text = reading.data
        ellipses = [match.span() for match in _ELLIPSIS.finditer(text)]
        lefts, rights = [left for left, _ in ellipses], [right for _, right in ellipses]
        for place, beginning, found in self._needles.find(text):
            if found:
                yield place, place + found
            if ellipses and (nearest := bisect_right(lefts, place + beginning)):
                left = lefts[nearest - 1]
                if left >= place + SHORTEST:
                    yield place, left
        if ellipses:
            yield from self._ends(text, rights)

    def _ends(self, text: bytes, rights: list[int]) -> Iterator[_Span]:
        """The ends of secrets that follow an ellipsis."""
        for place, ending, _ in self._reversed.find(text[::-1]):
            end = len(text) - place
            nearest = bisect_left(rights, end - ending)
            if nearest < len(rights) and rights[nearest] <= end - SHORTEST:
                yield rights[nearest], end


def leaves(value: Any) -> Iterator[str]:
    """The values in a tree of parameters, numbers as text; neither booleans nor None, which are not secrets."""
    for part in _parts(value):
        if not isinstance(part, dict):
            yield str(part)


def names(value: Any, public: frozenset[str] = frozenset()) -> Iterator[str]:
    """The keys in a tree of parameters, but for those that everybody may see."""
    for part in _parts(value):
        if isinstance(part, dict):
            yield from (key for key in map(str, part) if key and key not in public)


def _parts(value: Any) -> Iterator[Any]:
    """Its mappings, and what is neither a mapping nor a list."""
    pending = [value]
    while pending:
        match pending.pop():
            case None | bool() | "":
                continue
            case dict() as mapping:
                yield mapping
                pending += mapping.values()
            case list() | tuple() as items:
                pending += items
            case leaf:
                yield leaf


def _forms(value: str) -> Iterator[str]:
    """As it is, without what is around it (usually a line feed at its end), and each of its lines."""
    yield from filter(None, (value, value.strip()))
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in map(str.strip, lines) if len(line) >= SHORTEST)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _words(message: str, words: frozenset[str]) -> Iterator[_Span]:
    """Where these stand alone, an underscore being no part of a word; in bytes of UTF-8."""
    if not words:
        return
    width = range(1, max(map(len, words)) + 1)
    offsets = list(accumulate(chain((0,), (len(_encoded(character)) for character in message))))
    last = len(message)
    for start in range(last):
        if start and message[start - 1].isalnum():
            continue
        for end in (start + length for length in width):
            if message[start:end] in words and not (end < last and message[end].isalnum()):
                yield offsets[start], offsets[min(end, last)]


def _masked(message: bytes, spans: list[_Span]) -> bytes:
    """Without these, however they overlap."""
    parts, kept = [], 0
    for start, end in sorted(spans):
        if start >= kept:
            parts += [message[kept:start], MASK.encode()]
        kept = max(kept, end)
    return b"".join([*parts, message[kept:]])
