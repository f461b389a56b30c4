"""Plans by name. A plan that failed to import, or two that share a name, affect no other plan.

The command and the operator load one `Registry` when they start.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from execloop._engine.errors import AmbiguousPlan, UnknownPlan
from execloop._plans.discovery import from_entry_points, from_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from execloop._plans.definition import Definition

__all__ = ["Registered", "Registry"]

NAMES_SHOWN = 20
FAILURES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Registered:
    definition: Definition
    origin: str
    """The file, or the distribution with its entry point."""
    version: str
    """The distribution's, or a digest of the code that was found in a folder."""

    @property
    def name(self) -> str:
        return self.definition.name

    def __str__(self) -> str:
        return f"{self.origin}, {self.definition.origin}"


class Registry:
    """Immutable. Iterates over the plans that can be used, by name."""

    def __init__(self, registered: Iterable[Registered] = (), failures: Mapping[str, str] | None = None) -> None:
        self.failures: Mapping[str, str] = MappingProxyType(dict(failures or {}))
        """Where a module could not be imported, and why."""
        self._claims: dict[str, list[Registered]] = {}
        for candidate in registered:
            claims = self._claims.setdefault(candidate.name, [])
            if all(candidate.definition is not claim.definition for claim in claims):
                claims.append(candidate)

    @classmethod
    def load(cls, folders: Sequence[Path | str] = (), *, entry_points: bool = True) -> Registry:
        """Import everything that may hold plans: the entry points `execloop.plans`, then the modules of each folder."""
        sources = chain(
            from_entry_points() if entry_points else (), chain.from_iterable(from_folder(Path(f)) for f in folders)
        )
        found: list[Registered] = []
        failures: dict[str, str] = {}
        for source in sources:
            found += (Registered(definition, source.origin, source.version) for definition in source.definitions)
            if source.failure is not None:
                failures[source.origin] = source.failure
        return cls(found, failures)

    @property
    def ambiguous(self) -> Mapping[str, tuple[Registered, ...]]:
        """The names that more than one plan claims, and which these are."""
        return {name: tuple(claims) for name, claims in sorted(self._claims.items()) if len(claims) > 1}

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, claims in self._claims.items() if len(claims) == 1))

    def __iter__(self) -> Iterator[Registered]:
        return (self._claims[name][0] for name in self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Registered:
        """Raises UnknownPlan or AmbiguousPlan, whose messages say what to do about it."""
        match self._claims.get(name, ()):
            case [registered]:
                return registered
            case []:
                raise UnknownPlan(self._unknown(name))
            case claims:
                listed = " and ".join(f"({claim})" for claim in claims)
                raise AmbiguousPlan(f"{len(claims)} plans are named {name!r}: {listed}; rename or remove all but one")

    def definition(self, name: str) -> Definition:
        """Raises as `get()` does."""
        return self.get(name).definition

    def _unknown(self, name: str) -> str:
        names = self.names()
        near = difflib.get_close_matches(name, names, n=3)
        listed = _bounded([*near, *(other for other in names if other not in near)], NAMES_SHOWN, ", ")
        message = f"there is no plan {name!r}; known plans: {listed or 'none'}"
        if self.failures:
            failed = _bounded([f"{where}: {why}" for where, why in self.failures.items()], FAILURES_SHOWN, "; ")
            message += f"; failed to import: {failed}"
        return message


def _bounded(items: Sequence[str], most: int, separator: str) -> str:
    rest = len(items) - most
    return separator.join([*items[:most], *([f"and {rest} more"] if rest > 0 else [])])
