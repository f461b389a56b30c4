"""`execloop suspend`: stop a Plan at its next task, for a while or until it is resumed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from execloop.cli.cluster.durations import in_seconds
from execloop.cli.cluster.selection import names_or_all, select
from execloop.cli.cluster.session import Session, connected
from execloop.cli.exits import CONVERGED
from execloop.resource import requests

__all__ = ["suspend"]


@click.command(
    epilog="""\b
Examples:
  execloop suspend orders --for 2h --reason "the database moves"
  execloop suspend --all -n shop"""
)
@names_or_all
@click.option(
    "--for", "length", callback=in_seconds, metavar="DURATION", help="Then it continues, such as 90s, 30m or 2h."
)
@click.option("--reason", metavar="TEXT", help="Why; `execloop explain` shows it.")
@connected
async def suspend(
    session: Session, names: tuple[str, ...], every: bool, length: float | None, reason: str | None
) -> int:
    """Suspend Plans: a run under way stops at its next task, and nothing changes until they are resumed."""
    plans = await select(session, names, every=every)
    user = await session.user()
    until = None if length is None else datetime.now(UTC) + timedelta(seconds=length)
    text = None if until is None else until.strftime("%Y-%m-%dT%H:%M:%SZ")
    for plan in plans:
        await session.patch(plan, requests.suspend(until, reason, user))
        click.echo(f"plan {plan['metadata']['name']} suspended{f' until {text}' if text else ''}")
    return CONVERGED
