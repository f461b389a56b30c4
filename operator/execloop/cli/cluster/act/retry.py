"""`execloop retry`: try again now, instead of after the pause."""

from __future__ import annotations

import click

from execloop.cli.cluster.act.steps import of_step
from execloop.cli.cluster.act.wait import timeout_option, wait_for
from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Session, connected
from execloop.cli.exits import CONVERGED, Mistake
from execloop.resource import requests
from execloop.resource.annotations import RETRY
from execloop.resource.fields import state

__all__ = ["retry"]


@click.command(
    epilog="""\b
Examples:
  execloop retry orders               now, with a new budget
  execloop retry orders copy          one step of a plan that has steps
  execloop retry release web/copy     one step of an include"""
)
@name_argument
@click.argument("step", required=False)
@click.option("--reason", metavar="TEXT", help="Why, with a STEP; the history shows it.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it is Ready (exit code 0) or Stalled (1).")
@timeout_option
@connected
async def retry(session: Session, name: str, step: str | None, reason: str | None, waits: bool, patience: float) -> int:
    """Try again a Plan that had errors or stalled, without the pause; or one STEP of its execution."""
    plan = await session.plan(name)
    if step is None:
        if state(plan) not in requests.AFTER_ERRORS:
            raise Mistake(f"Plan {name} has nothing to try again: its state is {state(plan)}; see `execloop reconcile`")
        wanted = requests.reconcile()
    else:
        wanted = await of_step(session, plan, RETRY, step, reason)
    await session.patch(plan, wanted)
    click.echo(f"plan {name}: retry requested{'' if step is None else f' of {step}'}")
    return await wait_for(session, [plan], patience) if waits else CONVERGED
