"""`execloop skip`: take a step as done, though it is not."""

from __future__ import annotations

import click

from execloop.cli.cluster.act.steps import of_step
from execloop.cli.cluster.act.wait import timeout_option, wait_for
from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Session, connected
from execloop.cli.exits import CONVERGED
from execloop.resource.annotations import SKIP

__all__ = ["skip"]


@click.command(
    epilog="""\b
Examples:
  execloop skip nightly export --reason "exported by hand"
  execloop skip release web/copy      one step of an include"""
)
@name_argument
@click.argument("step")
@click.option("--reason", metavar="TEXT", help="Why; the history shows it.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it is Ready (exit code 0) or Stalled (1).")
@timeout_option
@connected
async def skip(session: Session, name: str, step: str, reason: str | None, waits: bool, patience: float) -> int:
    """Take one STEP of a plan that has steps, such as `jobs`, as done, as long as its inputs stay the same.

    It needs the verb `approve` where the approval policies are installed.
    """
    plan = await session.plan(name)
    await session.patch(plan, await of_step(session, plan, SKIP, step, reason))
    click.echo(f"plan {name}: skip requested of {step}")
    return await wait_for(session, [plan], patience) if waits else CONVERGED
