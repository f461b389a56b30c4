"""Privileges that roles have: what a database lacks is granted, and again when it was revoked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.library.sql.parameters import GrantRule

__all__ = ["ALL", "Grant", "Kind", "expanded"]

Kind: TypeAlias = Literal["DATABASE", "SCHEMA", "SEQUENCE", "TABLE"]
ALL = "*"
"""In `shop.*`: all tables of a schema."""

_ALL_TABLES = """\
NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace({schema}) AND relkind IN ('r', 'p', 'v', 'm', 'f')
 AND NOT has_table_privilege({role}, oid, {privilege}))"""


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege on one object, for one role."""

    privilege: str
    kind: Kind
    object: str
    role: str

    @property
    def title(self) -> str:
        return f"grant {self.privilege} on {self.kind.lower()} {self.object} to {self.role}"

    @property
    def check(self) -> sql.Composed:
        """The expression that is true when the role has it."""
        if self._schema is not None:
            return sql.SQL(_ALL_TABLES).format(
                schema=sql.Literal(_quoted(self._schema)),
                role=sql.Literal(self.role),
                privilege=sql.Literal(self.privilege),
            )
        name = _quoted(self.object) if self.kind in {"SEQUENCE", "TABLE"} else self.object
        arguments = sql.SQL(", ").join(map(sql.Literal, (self.role, name, self.privilege)))
        return sql.SQL("has_{}_privilege({})").format(sql.SQL(self.kind.lower()), arguments)

    @property
    def statement(self) -> str:
        """The SQL that grants it."""
        place = (
            f"ALL TABLES IN SCHEMA {_quoted(self._schema)}" if self._schema else f"{self.kind} {_quoted(self.object)}"
        )
        return f"GRANT {self.privilege} ON {place} TO {_quoted(self.role, whole=True)}"

    @property
    def _schema(self) -> str | None:
        schema, _, table = self.object.rpartition(".")
        return schema if self.kind == "TABLE" and table == ALL else None


def expanded(rules: list[GrantRule]) -> Iterator[Grant]:
    """Yield one grant for each privilege, object and role."""
    for rule in rules:
        for kind, objects in rule.objects():
            for name in objects:
                yield from (Grant(privilege, kind, name, rule.role) for privilege in rule.privileges)


def _quoted(name: str, *, whole: bool = False) -> str:
    """As SQL has it; a name may have a schema before a dot."""
    parts = [name] if whole else name.split(".", 1)
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
