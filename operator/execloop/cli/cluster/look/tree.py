"""`execloop tree`: all of a Plan at one look: conditions, execution, tasks, errors, dependencies, what it owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Plan, Session, connected, key
from execloop.cli.display.terminal import coloured, printable
from execloop.cli.display.tree import Branch, draw
from execloop.cli.exits import CONVERGED
from execloop.resource.fields import state, status
from execloop.resource.related import health, inventory, related
from execloop.resource.times import age

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["grown", "tree"]


@click.command(
    epilog="""\b
Examples:
  execloop tree orders"""
)
@name_argument
@connected
async def tree(session: Session, name: str) -> int:
    """Draw a Plan: conditions, execution, tasks that wait, errors, dependencies, and the objects it owns."""
    from execloop.controller.status.explain import dependencies  # noqa: PLC0415 - the command starts without it

    plan = await session.plan(name)
    others = await related(session.kube, plan)
    needs = [(str(one), health(others[one]) if one in others else "?") for one in dependencies(plan)]
    for line in draw(grown(plan, needs, await inventory(session.kube, plan))):
        click.echo(line)
    return CONVERGED


def grown(plan: Plan, needs: Sequence[tuple[str, str]], owned: Sequence[tuple[str, str]]) -> Branch:
    """Return the tree of a Plan; `needs` and `owned` are objects with their health."""
    root = Branch(f"{click.style('/'.join(key(plan)), bold=True)}  {coloured(state(plan))}")
    known = status(plan)
    if conditions := known.get("conditions"):
        _conditions(root.add("conditions"), conditions)
    if execution := known.get("execution"):
        _execution(root, execution, known)
    if pending := known.get("pending"):
        branch = root.add(f"tasks that wait ({pending.get('count')})")
        for task in pending.get("tasks") or ():
            branch.add(printable(str(task)))
    for title, objects in (("depends on", needs), ("owns", owned)):
        if objects:
            branch = root.add(title)
            for label, how in objects:
                branch.add(f"{label}  {coloured(how)}")
    return root


def _conditions(branch: Branch, conditions: Sequence[Mapping[str, Any]]) -> None:
    for one in conditions:
        what = f"{one.get('type')}={coloured(str(one.get('status')))} {one.get('reason')}"
        branch.add(f"{what} for {age(one.get('lastTransitionTime'))}: {printable(str(one.get('message', '')))}")


def _execution(root: Branch, execution: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    began = f"began {age(execution.get('startedAt'))} ago"
    ended = f", {execution['result']} {age(execution.get('finishedAt'))} ago" if execution.get("result") else ""
    branch = root.add(f"execution {execution.get('id')}  {began}{ended}")
    errors = known.get("errors", execution.get("errors", 0))
    progress = f", tasks {known['progress']}" if known.get("progress") else ""
    branch.add(f"runs {execution.get('runs', 0)}, errors {errors}{progress}")
    if known.get("nextRunAt"):
        branch.add(f"next run {age(known['nextRunAt'])}")
    if execution.get("lastError"):
        branch.add(f"last error: {printable(str(execution['lastError']))}")
    if approval := execution.get("approval"):
        branch.add(f"approved by {approval.get('by') or 'an unknown user'}")
