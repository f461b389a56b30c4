"""`execloop reconcile`: ask for a new execution, with a new budget and deadline."""

from __future__ import annotations

import click

from execloop.cli.cluster.act.wait import timeout_option, wait_for
from execloop.cli.cluster.selection import names_or_all, ordered, select
from execloop.cli.cluster.session import Session, connected
from execloop.cli.exits import CONVERGED
from execloop.resource import requests
from execloop.resource.fields import condition

__all__ = ["reconcile"]


@click.command(
    epilog="""\b
Examples:
  execloop reconcile orders --wait
  execloop reconcile --all -n shop"""
)
@names_or_all
@click.option("--wait", "waits", is_flag=True, help="Wait until each is Ready (exit code 0) or Stalled (1).")
@timeout_option
@connected
async def reconcile(session: Session, names: tuple[str, ...], every: bool, waits: bool, patience: float) -> int:
    """Begin a new execution of Plans, whatever their state: a stalled one gets a new budget.

    Those that others depend on come first.
    """
    plans = ordered(await select(session, names, every=every))
    for plan in plans:
        asked = await session.patch(plan, requests.reconcile())
        suspended = condition(asked, "Suspended") or asked["spec"].get("suspend")
        hint = "; it begins once the Plan is resumed" if suspended else ""
        click.echo(f"plan {plan['metadata']['name']}: reconcile requested{hint}")
    return await wait_for(session, plans, patience) if waits else CONVERGED
