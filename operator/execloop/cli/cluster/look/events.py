"""`execloop events`: what the operator reported of a Plan."""

from __future__ import annotations

import click

from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Session, connected
from execloop.cli.display.table import show
from execloop.cli.display.terminal import coloured
from execloop.cli.exits import CONVERGED
from execloop.resource.events import events_of, seen
from execloop.resource.times import age

__all__ = ["events"]


@click.command(
    epilog="""\b
Examples:
  execloop events orders"""
)
@name_argument
@connected
async def events(session: Session, name: str) -> int:
    """List the Events of a Plan, oldest first. The API server keeps them for an hour, unless it is set otherwise."""
    plan = await session.plan(name)
    found = await events_of(session.kube, plan)
    if not found:
        click.echo(f"no Events of Plan {name}", err=True)
        return CONVERGED
    rows = [
        (f"{age(seen(one))} ago", str(one["type"]), str(one["reason"]), str(one.get("message", ""))) for one in found
    ]
    show(("SEEN", "TYPE", "REASON", "MESSAGE"), rows, lambda column, text: coloured(text) if column == "TYPE" else text)
    return CONVERGED
