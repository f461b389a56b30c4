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
from execloop._engine.tasks import as_tasks
from execloop.cli.display.lines import printable
from execloop.cli.display.tracebacks import plan_traceback
from execloop.cli.exits import CONVERGED, FAILED
from execloop.cli.local.access import ClusterAccess
from execloop.cli.local.target import Target, resolve, target_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from execloop._plans.context import Context

__all__ = ["preview"]


@click.command()
@target_arguments
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(
    *,
    target: str,
    assignments: tuple[str, ...],
    folders: tuple[Path, ...],
    kubeconfig: Path | None,
    as_json: bool,
    traceback: bool,
) -> int:
    """Print the tasks that a plan would run now, and run none.

    Tasks that follow from others while they run are known to nobody before.
    """
    found = resolve(target, assignments, folders)
    context = ClusterAccess(kubeconfig, found.namespace).context(found)
    try:
        with redirect_stdout(sys.stderr):
            names = asyncio.run(_ask(found, context))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever plan code raises
        click.secho(printable(f"{found.name}: failed: create() raised {summary(error)}"), fg="red", err=True)
        if traceback:
            click.echo(plan_traceback(error), err=True)
        return FAILED
    if as_json:
        click.echo(json.dumps({"plan": found.registered.name, "converged": not names, "tasks": names}))
    elif names:
        for name in names:
            click.echo(printable(name))
    else:
        click.echo(printable(f"{found.name}: converged, nothing to do"), err=True)
    return CONVERGED


async def _ask(target: Target, context: Context) -> list[str]:
    created: Any = target.make(context).create()
    if inspect.iscoroutine(created):
        created = await created
    return [task.name for task in as_tasks(created, lambda: f"create() of the plan {target.name!r}")]
