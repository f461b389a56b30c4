"""The plan `http`: a resource of a REST API is as expected."""

from __future__ import annotations

from execloop.library.http.parameters import Parameters
from execloop.library.http.plan import Http

__all__ = ["Http", "Parameters"]
