"""YAML for the operator and the command: what JSON has and nothing else, no key twice, within bounds.

By the words of YAML 1.1, as Kubernetes reads it, but a date stays text, and so do numbers to the base 60. No message
quotes the text, which may be a Secret's; `BadYaml.detail` may.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_DIGITS", "MAX_VALUES", "BadYaml", "load", "load_documents"]

MAX_BYTES: Final = 2**20
"""Of the text, and of the words of a document once its aliases are written out."""
MAX_VALUES: Final = 100_000
"""In one document, keys among them, once its aliases are written out."""
MAX_DEPTH: Final = 100
"""Lists and mappings within one another."""
MAX_DIGITS: Final = 400
"""Of a number."""

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_TAG}merge"
_NUMBERS: Final = {f"{_TAG}int", f"{_TAG}float"}
_WORDS: Final = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_TRUE, _FALSE = {"yes", "true", "on"}, {"no", "false", "off"}
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadYaml(ValueError):
    """Says what is wrong and where, without a word of the text."""

    def __init__(self, message: str, mark: Any = None, detail: str | None = None) -> None:
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        super().__init__(message + place)
        self.detail = f"{detail or message}{place}"
        """The same for the author of the text: it may quote the text."""


def load(text: str) -> Any:
    """One document. Raises BadYaml."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadYaml(f"it is over {MAX_BYTES // 1024} KiB")
    documents = load_documents(text)
    first = next(documents, None)
    if next(documents, _END) is not _END:
        raise BadYaml("it has more than one document")
    return first


_END: Final = object()


def load_documents(text: str) -> Iterator[Any]:
    """Each document. Raises BadYaml where one begins that cannot be read."""
    try:
        document = _Document()
        for event in yaml.parse(text, _Parser):
            match event:
                case yaml.DocumentStartEvent():
                    document = _Document()
                case yaml.DocumentEndEvent():
                    yield document.root
                case yaml.NodeEvent() | yaml.CollectionEndEvent():
                    document.take(event)
    except yaml.MarkedYAMLError as error:
        raise BadYaml("it cannot be read", error.problem_mark, error.problem) from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        detail = " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) else None
        raise BadYaml("it cannot be read", detail=detail) from None


class _Size(NamedTuple):
    values: int
    characters: int

    def plus(self, other: _Size) -> _Size:
        return _Size(self.values + other.values, self.characters + other.characters)


class _Collection:
    """A list or a mapping that has begun."""

    def __init__(self, event: Any, before: _Size) -> None:
        self.anchor, self.before = event.anchor, before
        self.items: list[Any] = []
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.keys: dict[str, Any] = {}
        self.merged: list[dict[str, Any]] = []
        self.key: str | None = None
        self.merges = False

    def add(self, value: Any, event: Any, *, merge: bool) -> None:
        if not self.is_mapping:
            self.items.append(value)
        elif self.merges:
            self.merges = False
            self.merged += _mappings(value, event)
        elif self.key is not None:
            self.keys[self.key] = value
            self.key = None
        elif merge:
            self.merges = True
        else:
            self.key = _key(value, event)
            if self.key in self.keys:
                raise BadYaml("a key is repeated", event.start_mark, f"the key {self.key!r} is repeated")

    def value(self) -> Any:
        if not self.is_mapping:
            return self.items
        if not self.merged:
            return self.keys
        merged: dict[str, Any] = {}
        for mapping in reversed(self.merged):  # the first of them counts
            merged |= mapping
        return merged | self.keys


class _Document:
    """What the events of one document come to."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Collection] = []
        self._anchors: dict[str, tuple[Any, _Size]] = {}
        self._size = _Size(0, 0)

    def take(self, event: Any) -> None:
        match event:
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    detail = f"the alias {event.anchor!r} has no anchor before it"
                    raise BadYaml("an alias has no anchor before it", event.start_mark, detail)
                value, size = self._anchors[event.anchor]
                self._grow(size, event)
                self._add(value, event)
            case yaml.ScalarEvent():
                before = self._size
                self._grow(_Size(1, len(event.value)), event)
                value, merge = _scalar(event)
                self._name(event.anchor, value, before)
                self._add(value, event, merge=merge)
            case yaml.CollectionStartEvent():
                self._begin(event)
            case _:
                ended = self._open.pop()
                value = ended.value()
                self._name(ended.anchor, value, ended.before)
                self._add(value, event)

    def _begin(self, event: Any) -> None:
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
        if event.tag not in {None, "!", f"{_TAG}{kind}"}:
            raise BadYaml("it has a type that JSON does not have", event.start_mark)
        if len(self._open) == MAX_DEPTH:
            raise BadYaml(f"it is over {MAX_DEPTH} levels deep", event.start_mark)
        above = self._open[-1] if self._open else None
        if above is not None and above.is_mapping and above.key is None and not above.merges:
            raise BadYaml("a key should be a word or a number", event.start_mark)
        self._open.append(_Collection(event, self._size))
        self._grow(_Size(1, 0), event)

    def _grow(self, size: _Size, event: Any) -> None:
        self._size = self._size.plus(size)
        if self._size.values > MAX_VALUES:
            raise BadYaml(f"it has over {MAX_VALUES:,} values", event.start_mark)
        if self._size.characters > MAX_BYTES:
            raise BadYaml(f"its aliases expand to over {MAX_BYTES // 1024} KiB", event.start_mark)

    def _name(self, anchor: str | None, value: Any, before: _Size) -> None:
        if anchor is not None:
            size = _Size(self._size.values - before.values, self._size.characters - before.characters)
            self._anchors[anchor] = value, size

    def _add(self, value: Any, event: Any, *, merge: bool = False) -> None:
        if self._open:
            self._open[-1].add(value, event, merge=merge)
        else:
            self.root = value


def _mappings(value: Any, event: Any) -> list[dict[str, Any]]:
    """What `<<` names."""
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in found):
        raise BadYaml("a merge key (<<) should refer to a mapping", event.start_mark)
    return found


def _key(value: Any, event: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise BadYaml("a key should be a word or a number", event.start_mark)
    return json.dumps(value)


def _scalar(event: Any) -> tuple[Any, bool]:
    """The value, and whether it is the word that merges mappings."""
    text, tag = event.value, event.tag
    if event.implicit[0] and tag in {None, "!"}:
        tag = _meant(text)
    if tag == _MERGE:
        return text, True
    if tag in {None, "!", f"{_TAG}str"}:
        return text, False
    try:
        return _value(tag, text, event.start_mark), False
    except ValueError as error:
        raise error if isinstance(error, BadYaml) else BadYaml("it cannot be read", event.start_mark) from None


def _meant(text: str) -> str | None:
    """The tag of a plain word; None: it is text."""
    for tag, pattern in _WORDS.get(text[:1], ()):
        if (tag not in _NUMBERS or ":" not in text) and pattern.match(text):
            return str(tag)
    return None


def _value(tag: str, text: str, mark: Any) -> Any:
    match tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool" if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        case "int" | "float" if sum(map(str.isalnum, text)) > MAX_DIGITS:
            raise BadYaml(f"a number has over {MAX_DIGITS} digits", mark)
        case "int":
            return _integer(text.replace("_", "").lower())
        case "float":
            number = float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
            if math.isfinite(number):
                return number
            raise BadYaml("it has a number that JSON does not have", mark)
        case "bool":
            raise BadYaml("it cannot be read", mark)
        case _:
            raise BadYaml("it has a type that JSON does not have", mark)


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    octal = len(digits) > 1 and digits.startswith("0") and digits.isdigit()
    return int(text, 8 if octal else 0)
