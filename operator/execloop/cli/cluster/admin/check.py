"""`execloop check`: whether a cluster is ready for Plans."""

from __future__ import annotations

from typing import Final

import click

from execloop.cli.cluster.admin.fitness import findings
from execloop.cli.cluster.pods import operator_place
from execloop.cli.cluster.session import Session, connected
from execloop.cli.exits import CONVERGED, FAILED

__all__ = ["check", "line"]

_MARKS: Final = {"good": ("✓", "green"), "bad": ("✗", "red"), "unknown": ("?", "yellow")}


@click.command(
    epilog="""\b
Exit codes: 0 no problem found, 1 at least one problem.
\b
Examples:
  execloop check
  execloop check --operator-namespace platform -n shop"""
)
@operator_place
@connected
async def check(session: Session, home: str) -> int:
    """Check that the cluster is ready for Plans: version, CRD, operator, leader, policies, and your own rights."""
    code = CONVERGED
    async for finding in findings(session, home):
        click.echo(line(finding.mark, finding.what, finding.detail, finding.next))
        code = FAILED if finding.mark == "bad" else code
    return code


def line(mark: str, what: str, detail: str, then: str) -> str:
    """Return one finding as it is printed."""
    sign, colour = _MARKS[mark]
    return f"{click.style(sign, fg=colour)} {what}: {detail}{f'; {then}' if then else ''}"
