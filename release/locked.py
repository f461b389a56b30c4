"""The part of requirements.lock that an installed execloop needs: what its extras name, and what that needs in turn."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOCK = Path(__file__).parents[1] / "requirements.lock"


@dataclass(frozen=True)
class Locked:
    name: str
    version: str
    hashes: tuple[str, ...]
    """`sha256:...`, of each file that the index has for this version."""

    def __str__(self) -> str:
        return " \\\n    ".join([f"{self.name}=={self.version}", *(f"--hash={digest}" for digest in self.hashes)])


def read(lock: Path = LOCK) -> dict[str, Locked]:
    """By normalised name."""
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    found: dict[str, Locked] = {}
    for entry in entries:
        requirement, *options = entry.replace("\\\n", " ").split(" --hash=")
        parsed = Requirement(requirement.strip())
        version = str(parsed.specifier).removeprefix("==")
        name = canonicalize_name(parsed.name)
        found[name] = Locked(name, version, tuple(option.strip() for option in options))
    return found


def needed(extras: Sequence[str], python_version: str = "") -> list[Locked]:
    """In order of name. `python_version`, as `3.13`, is the target's; default: this Python's.

    What needs what is read from the distributions that are installed here, as `make venv` does.
    """
    environment = {key: str(value) for key, value in default_environment().items()}
    if python_version:
        environment |= {"python_version": python_version, "python_full_version": f"{python_version}.0"}
    names = closure("execloop", extras, environment)
    locked = read()
    return [locked[name] for name in sorted(names.keys() - {"execloop"})]


def requires(name: str, extras: Sequence[str], environment: Mapping[str, str]) -> Iterator[Requirement]:
    for line in _optional(extras) if name == "execloop" else distribution(name).requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)):
            yield requirement


def _optional(extras: Sequence[str]) -> list[str]:
    """From pyproject.toml: the metadata of an editable installation may be older."""
    extra = tomllib.loads((LOCK.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return [line for name in extras if name for line in extra[name]]


def closure(name: str, extras: Sequence[str], environment: Mapping[str, str]) -> dict[str, set[str]]:
    """Return what this distribution needs, by name, each with the extras that are asked of it."""
    seen: dict[str, set[str]] = {}
    waiting = [(name, set(extras) or {""})]
    while waiting:
        name, wanted = waiting.pop()
        if name in seen and wanted <= seen[name]:
            continue
        seen[name] = seen.get(name, set()) | wanted
        waiting += [
            (canonicalize_name(requirement.name), set(requirement.extras) or {""})
            for requirement in requires(name, sorted(wanted), environment)
        ]
    return seen
