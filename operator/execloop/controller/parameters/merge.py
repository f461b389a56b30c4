"""Parameters from ConfigMaps, Secrets and the Plan itself, put together. Pure: the objects were read before."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.controller.parameters.yamltext import BadYaml, load
from execloop.controller.plancode.redaction import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from execloop.controller.api.v1alpha1 import ParametersFrom

__all__ = ["InvalidSource", "Merged", "Source", "Version", "merge"]


class InvalidSource(ValueError):
    """An object gives no parameters as it is. The message names the field and the rule, and no value."""


class Version(NamedTuple):
    kind: str
    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Source:
    reference: ParametersFrom
    object: Mapping[str, Any] | None = field(repr=False)
    """The ConfigMap or Secret as the API server returned it; None when it is not there."""


@dataclass(frozen=True, slots=True)
class Merged:
    parameters: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """The values that Secrets gave, also where a later source replaced them."""
    versions: tuple[Version, ...]
    """Of the objects that are there: they are a part of the fingerprint."""
    missing: tuple[str, ...]
    """Objects and keys that are not there and not optional: `Secret db`, `key password of Secret db`."""


def merge(sources: Sequence[Source], inline: Mapping[str, Any]) -> Merged:
    """Shallow and in order: a later source's keys replace an earlier one's, the inline parameters come last.

    Raises InvalidSource.
    """
    parameters: dict[str, Any] = {}
    secrets: dict[str, None] = {}
    missing: list[str] = []
    for index, source in enumerate(sources):
        try:
            given = _given(source)
        except _Problem as problem:
            raise InvalidSource(f"spec.parametersFrom[{index}]: {problem}") from None
        if isinstance(given, _Absent):
            missing += [] if source.reference.optional else [given.what]
            continue
        parameters |= given
        if source.reference.kind == "Secret":
            secrets |= dict.fromkeys(leaves(given))
    return Merged(parameters | dict(inline), tuple(secrets), tuple(dict.fromkeys(_versions(sources))), tuple(missing))


class _Problem(Exception):
    pass


class _Absent(NamedTuple):
    what: str


def _versions(sources: Sequence[Source]) -> Iterator[Version]:
    for source in sources:
        if source.object is not None:
            metadata = source.object["metadata"]
            kind, name = source.reference.kind, source.reference.name
            yield Version(kind, name, metadata["uid"], metadata["resourceVersion"])


def _given(source: Source) -> dict[str, Any] | _Absent:
    reference, found = source.reference, source.object
    object_name = f"{reference.kind} {reference.name}"
    if found is None:
        return _Absent(object_name)
    data = found.get("data") or {}
    binary = found.get("binaryData") or {}
    if reference.key is None:
        if binary:
            raise _Problem(f"{object_name} has binaryData, which is no text: name the key of its data to take")
        return {key: _text(source, key, value) for key, value in data.items()}
    if reference.key in binary:
        raise _Problem(f"key {reference.key} of {object_name} is binaryData, and must be text")
    if reference.key not in data:
        return _Absent(f"key {reference.key} of {object_name}")
    return _mapping(f"key {reference.key} of {object_name}", _text(source, reference.key, data[reference.key]))


def _text(source: Source, key: str, value: str) -> str:
    if source.reference.kind == "ConfigMap":
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _Problem(f"key {key} of Secret {source.reference.name} is no UTF-8 text") from None


def _mapping(name: str, text: str) -> dict[str, Any]:
    try:
        content = load(text)
    except BadYaml as error:
        raise _Problem(f"{name} must be a YAML mapping: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _Problem(f"{name} must be a YAML mapping, and is a {type(content).__name__}")
    return content
