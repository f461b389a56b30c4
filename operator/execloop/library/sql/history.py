"""What a database's history says about the migrations: which are due, and what contradicts it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from execloop.library.sql.migration import Migration

__all__ = ["Assessment", "MigrationStep", "Record", "Rules", "State", "assess"]

State: TypeAlias = Literal["applied", "baseline", "started"]


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the history table; `started` is one without a transaction that has not ended."""

    name: str
    checksum: str
    state: State = "applied"


@dataclass(frozen=True, slots=True)
class Rules:
    baseline: str | None = None
    """The last migration that a database without a history has had already."""
    out_of_order: bool = False
    missing: bool = False
    """Whether a migration of the history may be missing from the list."""
    accept: frozenset[str] = frozenset()
    """Migrations whose text may have changed after they were applied."""


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """`apply` runs a migration, `baseline` and `accept` only record it."""

    action: Literal["apply", "baseline", "accept"]
    migration: Migration

    @property
    def title(self) -> str:
        return self.migration.title if self.action == "apply" else f"{self.action} {self.migration.title}"

    @property
    def detail(self) -> str:
        return (
            self.migration.detail if self.action == "apply" else f"-- records {self.migration.name}; runs no SQL of it"
        )

    def done(self, records: Iterable[Record]) -> bool:
        """Return whether the history has it already."""
        wanted = (self.migration.name, self.migration.checksum)
        return any((each.name, each.checksum) == wanted and each.state != "started" for each in records)


@dataclass(frozen=True, slots=True)
class Assessment:
    steps: tuple[MigrationStep, ...] = ()
    problems: tuple[str, ...] = ()
    """While there is one, no step is safe: there are none."""


def assess(migrations: Sequence[Migration], records: Sequence[Record], rules: Rules) -> Assessment:
    """Compare the wanted migrations with the history, in its order."""
    versioned = [each for each in migrations if not each.repeatable]
    known = {record.name: record for record in records}
    begun = _baseline(versioned, records, rules)
    if isinstance(begun, str):
        return Assessment(problems=(begun,))
    settled = {step.migration.name for step in begun}
    last = max((place for place, each in enumerate(versioned) if _applied(known.get(each.name))), default=-1)
    steps, problems = list(begun), []
    for place, each in enumerate(versioned):
        record = known.get(each.name)
        if each.name in settled:
            continue
        if record is None or record.state == "started":
            if record is None and place < last and not rules.out_of_order:
                problems.append(_late(each, versioned[last]))
            steps.append(MigrationStep("apply", each))
        elif record.checksum != each.checksum and each.name in rules.accept:
            steps.append(MigrationStep("accept", each))
        elif record.checksum != each.checksum:
            problems.append(_changed(each, record))
    problems += [] if rules.missing else _missing(migrations, records)
    steps += [
        MigrationStep("apply", each)
        for each in migrations
        if each.repeatable and not MigrationStep("apply", each).done(filter(None, [known.get(each.name)]))
    ]
    return Assessment(problems=tuple(problems)) if problems else Assessment(tuple(steps))


def _applied(record: Record | None) -> bool:
    return record is not None and record.state != "started"


def _baseline(versioned: Sequence[Migration], records: Sequence[Record], rules: Rules) -> list[MigrationStep] | str:
    if rules.baseline is None:
        return []
    names = [each.name for each in versioned]
    if rules.baseline not in names:
        return f"the baseline {rules.baseline} is not among the migrations: name one of them"
    wanted = versioned[: names.index(rules.baseline) + 1]
    known = {record.name: record for record in records}
    # A crash may have come between two of them; after anything else the history has begun.
    if any(record.state != "baseline" for record in records):
        return []
    return [MigrationStep("baseline", each) for each in wanted if each.name not in known]


def _late(migration: Migration, last: Migration) -> str:
    return (
        f"{migration.name} is not applied, and {last.name} after it is: rename it to stand last, or allow it with"
        " outOfOrder: Allow"
    )


def _changed(migration: Migration, record: Record) -> str:
    return (
        f"{migration.name} was changed after it was applied (sha256 {record.checksum[:12]}… then,"
        f" {migration.checksum[:12]}… now): restore its text and write a new migration, or name it in accept"
    )


def _missing(migrations: Sequence[Migration], records: Sequence[Record]) -> list[str]:
    """Those of the history that are gone from the list; not what a newer version of the list had at its end."""
    listed = {each.name for each in migrations}
    places = [place for place, record in enumerate(records) if record.name in listed]
    last = places[-1] if places else len(records)
    return [
        f"{record.name} was applied and is missing from the migrations: restore it, or allow it with missing: Allow"
        for record in records[:last]
        if record.name not in listed
    ]
