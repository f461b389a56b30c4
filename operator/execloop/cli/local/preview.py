"""`execloop preview`: what a plan would do now."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from execloop._engine.errors import summary
from execloop._engine.returned import Taken, take_created
from execloop._engine.waits import waits_of
from execloop.cli.display.terminal import printable
from execloop.cli.display.tracebacks import plan_traceback
from execloop.cli.exits import CONVERGED, FAILED
from execloop.cli.local.access import ClusterAccess
from execloop.cli.local.target import Target, resolve, target_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from execloop._plans.context import Context
    from execloop.cli.cluster.session import Place

__all__ = ["preview"]


@click.command()
@target_arguments
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(
    place: Place,
    *,
    target: str,
    assignments: tuple[str, ...],
    folders: tuple[Path, ...],
    as_json: bool,
    traceback: bool,
) -> int:
    """Print the tasks that a plan would run now, and run none.

    Tasks that follow from others while they run cannot be known before.
    """
    found = resolve(target, assignments, folders, place.namespace)
    context = ClusterAccess(place, found.namespace).context(found)
    try:
        with redirect_stdout(sys.stderr):
            taken = asyncio.run(_ask(found, context))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever plan code raises
        click.secho(printable(f"{found.name}: failed: create() raised {summary(error)}"), fg="red", err=True)
        if traceback:
            click.echo(plan_traceback(error), err=True)
        return FAILED
    names, waits = [task.name for task in taken.tasks], [wait.message for wait in taken.waits]
    converged = not names and not waits
    if as_json:
        shown = {"plan": found.registered.name, "converged": converged, "tasks": names, "waits": waits}
        click.echo(json.dumps(shown))
        return CONVERGED
    for name in names:
        click.echo(printable(name))
    for message in waits:
        click.echo(printable(f"{found.name}: waits: {message}"), err=True)
    if converged:
        click.echo(printable(f"{found.name}: converged, nothing to do"), err=True)
    return CONVERGED


async def _ask(target: Target, context: Context) -> Taken:
    try:
        created: Any = target.make(context).create()
        if inspect.iscoroutine(created):
            created = await created
        return take_created(created, lambda: f"create() of the plan {target.name!r}")
    except Exception as error:
        if waits := waits_of(error):
            return Taken(waits=waits)
        raise
