"""`execloop history`: the executions that ended, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Plan, Session, connected
from execloop.cli.display.table import show
from execloop.cli.exits import CONVERGED
from execloop.resource.fields import ended_executions
from execloop.resource.times import age, moment, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["history", "rows"]

HEADER = ("EXECUTION", "RESULT", "GENERATION", "ENDED", "TOOK", "RUNS", "ERRORS", "APPROVED BY", "REQUEST", "MESSAGE")


@click.command(
    epilog="""\b
Examples:
  execloop history orders"""
)
@name_argument
@connected
async def history(session: Session, name: str) -> int:
    """List the executions of a Plan that ended: the last one, and as many before it as spec.historyLimit keeps."""
    plan = await session.plan(name)
    found = list(rows(plan))
    if found:
        show(HEADER, found)
    else:
        click.echo(f"no execution of Plan {name} has ended yet", err=True)
    return CONVERGED


def rows(plan: Plan) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each execution."""
    for entry in ended_executions(plan):
        counts = (str(entry.get(field, 0)) for field in ("runs", "errors"))
        yield (
            str(entry.get("id", "")),
            str(entry.get("result", "")),
            str(entry.get("generation", "")),
            f"{age(entry.get('finishedAt'))} ago",
            _took(entry),
            *counts,
            str(entry.get("approvedBy") or "-"),
            _request(entry),
            str(entry.get("message", "")),
        )


def _request(entry: Mapping[str, Any]) -> str:
    """Return what a person asked, who, and why."""
    if not entry.get("request"):
        return "-"
    by = f" by {entry['requestedBy']}" if entry.get("requestedBy") else ""
    reason = f": {entry['requestReason']}" if entry.get("requestReason") else ""
    return f"{entry['request']}{by}{reason}"


def _took(entry: Mapping[str, Any]) -> str:
    started, finished = moment(entry.get("startedAt")), moment(entry.get("finishedAt"))
    return span((finished - started).total_seconds()) if started and finished else "-"
