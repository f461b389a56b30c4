"""Exit codes of the command, and the error of a user's mistake."""

from __future__ import annotations

import click

__all__ = ["CONVERGED", "FAILED", "INTERRUPTED", "TERMINATED", "TIMEOUT", "WRONG_USAGE", "Mistake"]

CONVERGED = 0
FAILED = 1
WRONG_USAGE = 2
TIMEOUT = 124  # as timeout(1) has it
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143


class Mistake(click.ClickException):
    """Wrong usage: reported in a few lines, never with a traceback."""

    exit_code = WRONG_USAGE
