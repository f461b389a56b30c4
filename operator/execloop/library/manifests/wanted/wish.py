"""One object as the plan wants it, and where it stands among the others."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import FatalError
from execloop._plans.entry import Entry, group_of
from execloop.library.manifests.wanted.files import Given
from execloop.library.manifests.wanted.ignored import paths_for
from execloop.library.manifests.wanted.order import FOUNDATIONS, rank, wave_of
from execloop.library.manifests.wanted.substitution import Filler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.library.manifests.wanted.parameters import Parameters

__all__ = ["Wanted", "dependencies", "wanted_of"]

_NAMESPACE, _DEFINITION = FOUNDATIONS
_KEY = os.urandom(16)
"""Of this process: what a status shows of a Secret must not confirm a guess of it."""
_LONGEST_PLACE = 100
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object of the list, with the values, labels and annotations that all get."""

    manifest: dict[str, Any] = field(repr=False)
    entry: Entry
    """With the Plan's namespace where the object names none, also for a kind without namespaces."""
    wave: int
    ignored: tuple[str, ...]
    digest: bytes
    given: Given

    @property
    def order(self) -> tuple[int, int]:
        return self.wave, rank(self.entry.kind)

    @property
    def origin(self) -> str:
        """Return the file and a hash of all that is applied: so an approval covers what no input of the Plan names."""
        if not self.given.in_file:
            return ""
        secret = (self.entry.group, self.entry.kind) == ("", "Secret")
        content = hashlib.blake2b(self.digest, key=_KEY if secret else b"", digest_size=8).hexdigest()
        place = self.given.place.encode(errors="replace")[-_LONGEST_PLACE:].decode(errors="ignore")
        return f"# {place}, content {content}\n"


def wanted_of(parameters: Parameters, namespace: str, files: Sequence[Given] = ()) -> list[Wanted]:
    """Return the objects in the order in which they are applied. Raises FatalError that names the object."""
    found: dict[Entry, Wanted] = {}
    filler = Filler(parameters.substitute)
    inline = [Given(f"parameters.objects.{index}", manifest) for index, manifest in enumerate(parameters.objects)]
    for given in (*inline, *files):
        try:
            manifest = _with_common(filler.fill(given.manifest), parameters)
            wave = wave_of(manifest)
        except ValueError as error:
            raise FatalError(f"{given.place}: {error}") from None
        entry = Entry.of(manifest, manifest["metadata"].get("namespace") or namespace)
        if entry in found:
            raise FatalError(f"{given.place}: {entry.label} is in {found[entry].given.place} too; keep one of them")
        ignored = paths_for(manifest, parameters.ignore)
        found[entry] = Wanted(manifest, entry, wave, ignored, _digest(manifest, ignored), given)
    return sorted(found.values(), key=lambda one: one.order)


def _with_common(manifest: dict[str, Any], parameters: Parameters) -> dict[str, Any]:
    common = {
        field: {**(manifest["metadata"].get(field) or {}), **values}
        for field, values in (
            ("labels", parameters.common_metadata.labels),
            ("annotations", parameters.common_metadata.annotations),
        )
        if values
    }
    return {**manifest, "metadata": {**manifest["metadata"], **common}} if common else manifest


def _digest(manifest: dict[str, Any], ignored: tuple[str, ...]) -> bytes:
    text = json.dumps([manifest, ignored], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def dependencies(wanted: Sequence[Wanted]) -> list[list[int]]:
    """Return for each object the places of those that it waits for: lower waves, its namespace and its definition."""
    found: list[list[int]] = []
    namespaces = {one.entry.name: place for place, one in enumerate(wanted) if one.entry.kind == _NAMESPACE}
    definitions = {_defines(one): place for place, one in enumerate(wanted) if one.entry.kind == _DEFINITION}
    for place, one in enumerate(wanted):
        lower = [other for other in range(place) if wanted[other].wave < one.wave]
        needs = namespaces.get(one.entry.namespace), definitions.get((one.entry.group, one.entry.kind))
        own = [need for need in needs if need is not None and need < place and need not in lower]
        found.append(lower + own)
    return found


def _defines(one: Wanted) -> tuple[str, str]:
    spec: Any = one.manifest.get("spec")
    names: Any = spec.get("names") if isinstance(spec, dict) else None
    kind = names.get("kind") if isinstance(names, dict) else None
    return (str(spec.get("group", "")), str(kind)) if isinstance(spec, dict) else ("", "")


def defined_scope(wanted: Sequence[Wanted], one: Wanted) -> str | None:
    """Return the scope that a definition of the list gives a kind; None when none defines it."""
    group, kind = group_of(one.manifest["apiVersion"]), one.entry.kind
    for other in wanted:
        if other.entry.kind == _DEFINITION and _defines(other) == (group, kind):
            return str(other.manifest["spec"].get("scope", ""))
    return None
