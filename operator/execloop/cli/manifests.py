"""The Plans in a YAML file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from execloop._yaml import BadYaml, load_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["API_VERSION", "Manifest", "Problem", "is_file", "plans_in"]

GROUP = "execloop.dev"
API_VERSION = f"{GROUP}/v1alpha1"
KIND = "Plan"
"""All three as in `execloop.controller.api.v1alpha1`, which takes longer to import."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A Plan in a file. `number`: of its YAML document, from 1."""

    file: str
    number: int
    content: dict[str, Any]

    @property
    def metadata(self) -> dict[str, Any]:
        metadata = self.content.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace") or "")

    def problem(self, field: str, message: str) -> Problem:
        return Problem(self.file, self.number, field, message)


@dataclass(frozen=True, slots=True)
class Problem:
    file: str
    number: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}:{f'{self.field}:' if self.field else ''} {self.message}"


def is_file(target: str) -> bool:
    """Whether it means a manifest rather than the name of a plan."""
    return target == "-" or target.endswith((".yaml", ".yml", ".json"))


def plans_in(file: str) -> Iterator[Manifest | Problem]:
    """The Plans of a file (`-`: standard input), and what keeps others from being read. Other objects are left out."""
    number = 0
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        for number, content in enumerate(load_documents(text), start=1):
            yield from _plans(file, number, content)
    except BadYaml as error:
        yield Problem(file, number + 1, "", f"not YAML: {error.detail}")
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(file, 1, "", getattr(error, "strerror", None) or str(error))


def _plans(file: str, number: int, content: Any) -> Iterator[Manifest | Problem]:
    if content is None:  # an empty document
        return
    if not isinstance(content, dict):
        yield Problem(
            file, number, "", "should be a Kubernetes object: a mapping with apiVersion, kind, metadata, spec"
        )
        return
    items = content.get("items")
    if content.get("kind") == "List" and isinstance(items, list):
        for item in items:
            yield from _plans(file, number, item)
    elif content.get("kind") == KIND and str(content.get("apiVersion")).startswith(f"{GROUP}/"):
        yield Manifest(file, number, content)
    elif "kind" not in content or "apiVersion" not in content:
        yield Problem(file, number, "", f"should say apiVersion and kind: {API_VERSION} and {KIND} for a Plan")
