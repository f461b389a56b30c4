"""One migration: its text, its checksum, and what its first comments say of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

__all__ = ["LONGEST", "Migration", "natural_order"]

LONGEST: Final = 1024 * 1024
"""Characters of one migration."""

_DIRECTIVE = re.compile(r"\A(?:\s*--[^\n]*\n)*?\s*--\s*execloop:\s*([a-z-]+)[ \t]*(?:\n|\Z)")
_DIGITS = re.compile(r"(\d+)")
_DETAIL_BYTES = 3900


@dataclass(frozen=True)
class Migration:
    """`transaction`: it runs in one. `repeatable`: it runs again whenever its text changes."""

    name: str
    sql: str = field(repr=False)
    transaction: bool = True
    repeatable: bool = False

    @classmethod
    def from_file(cls, name: str, text: str) -> Migration:
        """Return the migration of a file; a comment at its top may be `-- execloop: no-transaction` or `repeatable`.

        Raises ValueError for another directive.
        """
        given: set[str] = set()
        rest = text
        while found := _DIRECTIVE.match(rest):
            given.add(found[1])
            rest = rest[found.end() :]
        if unknown := given - {"no-transaction", "repeatable"}:
            raise ValueError(f"{name}: `-- execloop: {min(unknown)}` should be no-transaction or repeatable")
        return cls(name.removesuffix(".sql"), text, "no-transaction" not in given, "repeatable" in given)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text; how its lines end, and white space at its end, make no difference."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").rstrip().encode()).hexdigest()

    @property
    def title(self) -> str:
        """The name, with enough of the checksum to tell another text: approvals remember names."""
        return f"{self.name} [{self.checksum[:16]}]"

    @property
    def detail(self) -> str:
        """The exact SQL; of a long one the beginning."""
        data = self.sql.strip().encode()
        head = f"-- sha256:{self.checksum}\n"
        if len(data) <= _DETAIL_BYTES:
            return head + data.decode()
        return f"{head}{data[:_DETAIL_BYTES].decode(errors='ignore')}\n-- … and {len(data) - _DETAIL_BYTES} bytes more"


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names as people count: V2 before V10.

    >>> sorted(["V10", "V2", "a"], key=natural_order)
    ['V2', 'V10', 'a']

    """
    parts = (part for part in _DIGITS.split(name) if part)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)
