"""What goes wrong with a step."""

from __future__ import annotations

__all__ = ["StepError"]


class StepError(Exception):
    """A step cannot be looked at, or its action failed. The message names the step and the cause."""
