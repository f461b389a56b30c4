"""What the plans of tests/faults/plans/ledger.py did, and whether any of it was done twice."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    word: str
    step: str
    process: int
    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Account:
    """Of all Plans together."""

    steps: int
    begun_again: int
    """Attempts that no line ends: their process did. Another attempt did the step."""
    done_twice: int
    at_once: int
    """Attempts that began while an earlier one of the step was under way, in a process that lived on."""
    errors: int


def read(file: Path) -> list[Line]:
    rows = [row.split() for row in file.read_text().splitlines()]
    return [Line(word, step, int(process), float(at)) for word, step, process, at in rows]


def first_begin(world: Path, since: float) -> float | None:
    """When the first step began after that moment."""
    found = [line.at for file in world.glob("*.ledger") for line in read(file)[-3:] if line.word == "begin"]
    return min((at for at in found if at > since), default=None)


def account(world: Path) -> Account:
    accounts = [_account(read(file)) for file in world.glob("*.ledger")]
    fields = ("steps", "begun_again", "done_twice", "at_once", "errors")
    return Account(*(sum(getattr(one, field) for one in accounts) for field in fields))


def _account(lines: list[Line]) -> Account:
    ends = Counter(line.step for line in lines if line.word == "end")
    under_way: dict[str, int] = {}
    abandoned, at_once = set[tuple[str, int]](), 0
    for line in lines:
        attempt = line.step, line.process
        if line.word != "begin":
            under_way.pop(line.step, None)
            at_once += attempt in abandoned  # it was not abandoned: it ran beside its successor
            abandoned.discard(attempt)
        elif line.step in under_way:
            abandoned.add((line.step, under_way[line.step]))
            under_way[line.step] = line.process
        else:
            under_way[line.step] = line.process
    errors = sum(line.word == "error" for line in lines)
    return Account(len(ends), len(abandoned), sum(n - 1 for n in ends.values()), at_once, errors)
