"""What holds for each session with a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """`schema`: where the history is; None is the server's default."""

    table: str = "execloop_migrations"
    schema: str | None = None
    lock_timeout: timedelta = timedelta(seconds=5)
    statement_timeout: timedelta = timedelta()
    ca: str | None = None
