"""The one redactor between what plan code says and every way out: status, Events, logs, history.

It takes values out wherever they stand in a message: as they are, escaped (JSON, Python, Go) up to twice, in base64,
and cut short by an ellipsis, as pydantic does. What it cannot know is a value that plan code split, reversed or hashed.
"""

from __future__ import annotations

import base64
import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from execloop._engine.errors import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["MASK", "Redactor", "leaves"]

MASK: Final = "…"

_SHORTEST = 4
"""Anything shorter stands in every message: taking it out there would tell it by what is missing."""
_LONG = 65536
_ELLIPSIS = re.compile(r"\.\.\.|…")
_ONE_BASE64 = str.maketrans("-_", "+/")

_Span = tuple[int, int]


class Redactor:
    """`secrets` are the values that must not be seen."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # What ends in a line feed is used without it.
        values = {form for secret in secrets for form in (secret, secret.strip()) if form}
        self._values = tuple(_Value(value) for value in values if len(value) >= _SHORTEST)
        self._words = _words({value for value in values if len(value) < _SHORTEST})

    def text(self, message: str) -> str:
        """The message with an ellipsis in place of secret values; of those under 4 characters where they are words."""
        spans = [span for value in self._values for span in value.spans(message)]
        if self._words:
            spans += [match.span() for match in self._words.finditer(message)]
        return _masked(message, spans) if spans else message

    def error(self, error: BaseException) -> str:
        """`TypeName: message`, and the type alone when there is a secret under 4 characters."""
        return type(error).__name__ if self._words else self.text(summary(error))


def leaves(value: Any) -> Iterator[str]:
    """The values in a tree of parameters, numbers as text; neither booleans nor None, which are no secrets."""
    pending = [value]
    while pending:
        match pending.pop():
            case None | bool() | "":
                continue
            case dict() as mapping:
                pending += mapping.values()
            case list() | tuple() as items:
                pending += items
            case leaf:
                yield str(leaf)


def _quoted(text: str) -> str:
    return repr('"' + text)[2:-1]


def _quoted_bytes(text: str) -> str:
    return repr(b'"' + text.encode("utf-8", "surrogatepass"))[3:-1]


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


_ESCAPES: Final[tuple[Callable[[str], str], ...]] = (
    _json,
    lambda text: json.dumps(text)[1:-1],
    lambda text: re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", _json(text)),  # Go's JSON
    _quoted,
    lambda text: _quoted(text).replace("\\'", "'"),  # between double quotes
    _quoted_bytes,
    lambda text: _quoted_bytes(text).replace("\\'", "'"),
)


def _escaped(secret: str) -> set[str]:
    """A secret as it is, escaped, and escaped again: an error that quotes an error that quotes it."""
    forms = {secret}
    for _ in range(2 if len(secret) < _LONG else 1):
        forms |= {escape(form) for form in forms for escape in _ESCAPES}
    return forms


class _Encoded(NamedTuple):
    """The part of a value's base64 that does not depend on what stands around it, and how many characters do."""

    text: str
    before: int
    after: int


def _encoded(data: bytes) -> Iterator[_Encoded]:
    """At each of the three places that a value can have within the groups of three bytes."""
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + data).decode()
        bits = 8 * (offset + len(data))
        start, end = (8 * offset + 5) // 6, bits // 6
        yield _Encoded(text[start:end], before=1 if offset else 0, after=1 if bits % 6 else 0)


class _Value:
    """One secret, in all its forms: they are made when a message could hold it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    @cached_property
    def _escaped(self) -> frozenset[str]:
        return frozenset(_escaped(self._secret))

    @cached_property
    def _encoded(self) -> frozenset[_Encoded]:
        forms = {self._secret, *(escape(self._secret) for escape in _ESCAPES)}
        return frozenset(encoded for form in forms for encoded in _encoded(form.encode("utf-8", "surrogatepass")))

    def spans(self, message: str) -> Iterator[_Span]:
        if len(self._secret) <= len(message):
            yield from self._whole(message)
        for ellipsis in _ELLIPSIS.finditer(message):
            yield from self._shortened(message, *ellipsis.span())

    def _whole(self, message: str) -> Iterator[_Span]:
        for escaped in self._escaped:
            if escaped in message:
                for start in _occurrences(message, escaped):
                    yield start, start + len(escaped)
        decodable = message.translate(_ONE_BASE64)
        for encoded, before, after in self._encoded:
            if encoded in decodable:
                for start in _occurrences(decodable, encoded):
                    yield start - before, start + len(encoded) + after

    def _shortened(self, message: str, left: int, right: int) -> Iterator[_Span]:
        """A beginning of it that ends at `left`, an end of it that begins at `right`."""
        for form in self._escaped:
            for start in _occurrences(message, form[:_SHORTEST], end=left):
                if form.startswith(message[start:left]):
                    yield start, left
            for start in _occurrences(message, form[-_SHORTEST:], right):
                if form.endswith(message[right : start + _SHORTEST]):
                    yield right, start + _SHORTEST


def _words(short: set[str]) -> re.Pattern[str] | None:
    alternatives = "|".join(re.escape(value) for value in sorted(short))
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])") if short else None


def _occurrences(text: str, part: str, start: int = 0, end: int | None = None) -> Iterator[int]:
    position = text.find(part, start, end)
    while position >= 0:
        yield position
        position = text.find(part, position + 1, end)


def _masked(message: str, spans: list[_Span]) -> str:
    """Without these, however they overlap."""
    parts, kept = [], 0
    for start, end in sorted(spans):
        if start >= kept:
            parts += [message[kept:start], MASK]
        kept = max(kept, end)
    return "".join([*parts, message[kept:]])
