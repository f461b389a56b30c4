"""The plan `sql`: each database has had every migration, in order, each once."""

from __future__ import annotations

from execloop.library.sql.parameters import Parameters
from execloop.library.sql.plan import Sql

__all__ = ["Parameters", "Sql"]
