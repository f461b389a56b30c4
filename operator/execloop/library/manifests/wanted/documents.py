"""Objects from what a parameter or a file holds: a list, or YAML text of one document after another."""

from __future__ import annotations

from typing import Any

from execloop._yaml import MAX_BYTES, BadYaml, load_documents
from execloop.library.manifests.wanted.order import wave_of

__all__ = ["complete", "documents", "items_of", "whole"]


def documents(given: Any) -> Any:
    """Return a list of objects; a `List` among them becomes its items. Raises ValueError without a word of the text."""
    if isinstance(given, str):
        if len(given.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise ValueError(f"the YAML text is over {MAX_BYTES // 1024} KiB")
        try:
            given = [document for document in load_documents(given) if document is not None]
        except BadYaml as error:
            raise ValueError(f"the text is not YAML: {error}") from None
    if not isinstance(given, list):
        return given
    return [item for each in given for item in items_of(each)]


def items_of(given: Any) -> list[Any]:
    """Return the items of a `List`; of anything else itself."""
    if isinstance(given, dict) and given.get("kind") == "List" and isinstance(given.get("items"), list):
        return list(given["items"])
    return [given]


def complete(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an object that has all that names it, and a wave. Raises ValueError that names the field."""
    manifest = whole(manifest)
    wave_of(manifest)
    return manifest


def whole(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return an object that has all that names it, without what is null. Raises ValueError that names the field."""
    manifest = _without_nulls(manifest)
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            raise ValueError(f"{field} is missing")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise ValueError("metadata.name is missing")
    wrong = [field for field in ("labels", "annotations") if not isinstance(metadata.get(field) or {}, dict)]
    if wrong:
        raise ValueError(f"metadata.{wrong[0]} must be a mapping")
    if "namespace" in metadata and (not isinstance(metadata["namespace"], str) or not metadata["namespace"]):
        raise ValueError("metadata.namespace must be text")
    if "status" in manifest:
        return {field: value for field, value in manifest.items() if field != "status"}
    return manifest


def _without_nulls(value: Any) -> Any:
    """Return a copy without the fields that are null.

    `kubectl apply` of a Plan drops them before they arrive, and a server-side apply would make empty text of them.
    """
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
