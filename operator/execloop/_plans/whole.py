"""What a plan says in its `watches` of a kind whose objects are worth the operator's memory."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Whole"]


@dataclass(frozen=True, slots=True)
class Whole:
    """A kind among a plan's `watches` of which the operator holds whole objects, those that carry the Plan's label.

    Reads with `cached=True` then cost no request: `context.kube.owned(…, cached=True)` and `get(…, cached=True)`.
    All Plans together have 64 MiB; beyond that, and for Secrets, such reads ask the API server.

    Args:
        api_version: As in a manifest.
        kind: As in a manifest.

    >>> @plan("fixtures", watches=[Whole("v1", "ConfigMap")])
    ... def fixtures():
    ...     return []

    """

    api_version: str
    kind: str
