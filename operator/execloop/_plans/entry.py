"""What names an object: an entry of `context.inventory`, a label for people, and how a status has many entries."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Entry", "Sizes", "apart", "group_of", "together"]

_AROUND = 3
"""Bytes that a list needs for each text beside it: quotes and a comma."""
_PARTS = 3


class Entry(NamedTuple):
    """An object, whatever version it is asked for in. `namespace` is empty for a kind without one."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any], namespace: str) -> Entry:
        return cls(group_of(manifest["apiVersion"]), manifest["kind"], namespace, manifest["metadata"]["name"])

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Return the object of an entry of the inventory: `kind.group/namespace/name`, after `part:` or nothing."""
        head, _, rest = text.partition("/")
        head = head.rpartition(":")[2]
        namespace, _, name = rest.rpartition("/")
        kind, _, group = head.partition(".")
        return cls(group, kind, namespace, name)

    def __str__(self) -> str:
        head = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{head}/{self.namespace}/{self.name}"

    @property
    def label(self) -> str:
        """Return the name for people: `ConfigMap team-a/settings`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def together(entries: Iterable[str]) -> tuple[str, ...]:
    """Return `kind.group/namespace/name/name/…`, once for each kind and namespace. No name has a slash.

    >>> together(["ConfigMap/web/a", "ConfigMap/web/b", "Namespace//web"])
    ('ConfigMap/web/a/b', 'Namespace//web')

    """
    places: dict[str, list[str]] = {}
    for entry in sorted(entries):
        place, _, name = entry.rpartition("/")
        places.setdefault(place, []).append(name)
    return tuple("/".join((place, *names)) for place, names in places.items())


def apart(texts: Iterable[str]) -> Iterator[str]:
    """Yield the names one by one, however they are written.

    >>> list(apart(["ConfigMap/web/a/b", "Namespace//web"]))
    ['ConfigMap/web/a', 'ConfigMap/web/b', 'Namespace//web']

    """
    for text in texts:
        parts = text.split("/")
        if len(parts) <= _PARTS:
            yield text
        else:
            kind, namespace, *names = parts
            yield from (f"{kind}/{namespace}/{name}" for name in names)


class Sizes:
    """Bytes of some entries in both forms, kept up to date: an entry more costs no look at the others."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self.alone = self.together = 0
        self._places: Counter[str] = Counter()
        for entry in entries:
            self.add(entry)

    def add(self, entry: str) -> None:
        self._change(entry, 1)

    def remove(self, entry: str) -> None:
        self._change(entry, -1)

    def _change(self, entry: str, by: int) -> None:
        place, _, name = entry.rpartition("/")
        before = self._places[place]
        self._places[place] += by
        if (before == 0) != (self._places[place] == 0):
            self.together += by * (_bytes(place) + _AROUND)
        self.together += by * (_bytes(name) + 1)
        self.alone += by * (_bytes(entry) + _AROUND)


def _bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
