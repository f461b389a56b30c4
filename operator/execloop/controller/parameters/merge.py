"""Merge parameters from ConfigMaps, Secrets and the Plan itself. Pure: the objects were read before.

`reconcile.inputs.parameters` reads the objects and calls `merge`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from execloop._yaml import BadYaml
from execloop.controller.plancode.redaction.redactor import leaves, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from execloop.controller.api.v1alpha1 import ParametersFrom
    from execloop.controller.parameters.reading import SourceReader

__all__ = ["MAX_BYTES", "InvalidSource", "Merged", "ParameterSource", "Version", "merge", "size"]

MAX_BYTES: Final = 4 * 2**20
"""Of all the sources of a Plan together."""


class InvalidSource(ValueError):
    """An object gives no parameters as it is. The message names the field and the rule, and no value."""


class Version(NamedTuple):
    kind: str
    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class ParameterSource:
    reference: ParametersFrom
    object: Mapping[str, Any] | None = field(repr=False)
    """The ConfigMap or Secret as the API server returned it; None when it does not exist."""


@dataclass(frozen=True, slots=True)
class Merged:
    parameters: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """The values that Secrets gave, also where a later source replaced them."""
    others: tuple[str, ...] = field(repr=False)
    """What must not be distinguishable from them: keys of Secrets, and beside a Secret what ConfigMaps gave."""
    versions: tuple[Version, ...]
    """Of the objects that exist: they are a part of the fingerprint."""
    missing: tuple[str, ...]
    """Missing objects and keys that are not optional: `Secret db`, `key password of Secret db`."""
    absent: tuple[str, ...] = ()
    """The same of optional sources."""


def size(sources: Sequence[ParameterSource]) -> int:
    """Characters in the data of the sources."""
    return sum(len(text) for source in sources for text in _data(source).values())


def merge(
    sources: Sequence[ParameterSource],
    inline: Mapping[str, Any],
    reading: SourceReader,
    public: frozenset[str] = frozenset(),
    declares: Callable[[str], bool] = lambda _name: True,
) -> Merged:
    """Shallow and in order: a later source's keys replace an earlier one's, the inline parameters come last.

    `public`: names that everybody may see, wherever they come from. `declares`: whether the plan has a parameter of
    that name; a source without a key gives no others, since most Secrets hold more than one plan wants.
    Raises InvalidSource.
    """
    if size(sources) > MAX_BYTES:
        raise InvalidSource(f"spec.parametersFrom: the sources have over {MAX_BYTES // 2**20} MiB together")
    parameters: dict[str, Any] = {}
    secrets: dict[str, None] = {}
    others: dict[str, None] = {}
    missing: list[str] = []
    absent: list[str] = []
    for index, source in enumerate(sources):
        try:
            given = _given(source, reading, declares)
        except _Problem as problem:
            raise InvalidSource(f"spec.parametersFrom[{index}]: {problem}") from None
        if isinstance(given, _Absent):
            (absent if source.reference.optional else missing).append(given.what)
            continue
        parameters |= given
        values, keys = leaves(given), names(given, public)
        if source.reference.kind == "Secret":
            secrets |= dict.fromkeys(values)
            others |= dict.fromkeys(keys)
        else:
            others |= dict.fromkeys((*values, *keys))
    if not any(source.reference.kind == "Secret" for source in sources):
        others.clear()
    versions = tuple(dict.fromkeys(_versions(sources)))
    return Merged(parameters | dict(inline), tuple(secrets), tuple(others), versions, tuple(missing), tuple(absent))


class _Problem(Exception):
    pass


class _Absent(NamedTuple):
    what: str


def _versions(sources: Sequence[ParameterSource]) -> Iterator[Version]:
    for source in sources:
        if source.object is not None:
            metadata = source.object["metadata"]
            kind, name = source.reference.kind, source.reference.name
            yield Version(kind, name, metadata["uid"], metadata["resourceVersion"])


def _given(source: ParameterSource, reading: SourceReader, declares: Callable[[str], bool]) -> dict[str, Any] | _Absent:
    reference, found = source.reference, source.object
    object_name = f"{reference.kind} {reference.name}"
    if found is None:
        return _Absent(object_name)
    data = _data(source)
    binary = found.get("binaryData") or {}
    if reference.key is None:
        if binary:
            raise _Problem(f"{object_name} has binaryData, which is not text: name the key of its data to take")
        return {key: _text(source, key, value) for key, value in data.items() if declares(key)}
    if reference.key in binary:
        raise _Problem(f"key {reference.key} of {object_name} is binaryData, and must be text")
    if reference.key not in data:
        return _Absent(f"key {reference.key} of {object_name}")
    metadata = found["metadata"]
    which = metadata["uid"], metadata["resourceVersion"], reference.key
    text = _text(source, reference.key, data[reference.key])
    return _mapping(f"key {reference.key} of {object_name}", text, partial(reading.load, which))


def _data(source: ParameterSource) -> Mapping[str, str]:
    """What the reference asks for, as it stands in the object."""
    data: Mapping[str, str] = (source.object or {}).get("data") or {}
    key = source.reference.key
    return data if key is None else {key: data[key]} if key in data else {}


def _text(source: ParameterSource, key: str, value: str) -> str:
    if source.reference.kind == "ConfigMap":
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        which = "a value" if source.reference.key is None else f"key {key}"
        raise _Problem(f"{which} of Secret {source.reference.name} is not UTF-8 text") from None


def _mapping(name: str, text: str, load: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = load(text)
    except BadYaml as error:
        raise _Problem(f"{name} must be a YAML mapping: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _Problem(f"{name} must be a YAML mapping, and is a {type(content).__name__}")
    return content
