"""`execloop resume`: let suspended Plans continue, those that others depend on first."""

from __future__ import annotations

import click

from execloop.cli.cluster.act.wait import timeout_option, wait_for
from execloop.cli.cluster.selection import names_or_all, ordered, select
from execloop.cli.cluster.session import Session, connected
from execloop.cli.exits import CONVERGED
from execloop.resource import requests

__all__ = ["resume"]


@click.command(
    epilog="""\b
Examples:
  execloop resume orders
  execloop resume --all -n shop --wait"""
)
@names_or_all
@click.option("--wait", "waits", is_flag=True, help="Wait for each to be Ready before the next one is resumed.")
@timeout_option
@connected
async def resume(session: Session, names: tuple[str, ...], every: bool, waits: bool, patience: float) -> int:
    """Resume Plans, in the order of their dependencies: each continues the execution that it was in."""
    for plan in ordered(await select(session, names, every=every)):
        name = plan["metadata"]["name"]
        if not plan["spec"].get("suspend"):
            if not every:
                click.echo(f"plan {name} is not suspended")
            continue
        await session.patch(plan, requests.resume())
        click.echo(f"plan {name} resumed")
        if waits and (code := await wait_for(session, [plan], patience)) != CONVERGED:
            return code
    return CONVERGED
