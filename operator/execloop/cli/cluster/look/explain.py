"""`execloop explain`: why a Plan is as it is, down the chain of what it waits for, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Plan, Session, connected
from execloop.cli.display.terminal import printable
from execloop.cli.exits import CONVERGED
from execloop.resource.fields import condition, status
from execloop.resource.related import related
from execloop.resource.times import age

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from execloop.controller.status.explain import Explanation

__all__ = ["explain", "in_words"]


@click.command(
    epilog="""\b
Examples:
  execloop explain orders
  execloop explain orders -n shop"""
)
@name_argument
@connected
async def explain(session: Session, name: str) -> int:
    """Say what a Plan does or waits for, why, since when, and what to do next.

    It follows spec.dependsOn to the Plan where something can be done.
    """
    from execloop.controller.status.explain import explain as explained  # noqa: PLC0415 - the command starts without it

    plan = await session.plan(name)
    for line in in_words(explained(plan, await related(session.kube, plan)), plan):
        click.echo(line)
    return CONVERGED


def in_words(explanation: Explanation, plan: Plan, now: datetime | None = None) -> Iterator[str]:
    """Yield the lines: the chain with its next steps, then the times."""
    yield from _chain(explanation, "", "")
    yield from _times(plan, now)
    yield f"docs/troubleshoot.md#{explanation.roots[0].anchor}"


def _chain(link: Explanation, first: str, rest: str) -> Iterator[str]:
    why = f": {printable(link.why)}" if link.why else ""
    yield first + click.style(link.subject, bold=True) + f" {link.what}{why}"
    if link.outdated:
        yield f"{rest}  this is of an older spec: the operator has not yet seen the latest change"
    for index, cause in enumerate(link.because):
        last = index == len(link.because) - 1
        yield from _chain(cause, f"{rest}{'└' if last else '├'} ", f"{rest}{' ' if last else '│'} ")
    if not link.because:
        yield f"{rest}  next: {link.next}"


def _times(plan: Plan, now: datetime | None) -> Iterator[str]:
    known, execution = status(plan), status(plan).get("execution") or {}
    ready: dict[str, Any] = condition(plan, "Ready")
    if ready:
        yield f"  Ready={ready.get('status')} for {age(ready.get('lastTransitionTime'), now)}"
    if known.get("nextRunAt"):
        yield f"  next run {age(known['nextRunAt'], now)}"
    if known.get("errors") and not execution.get("finishedAt"):
        since = age(execution.get("startedAt"), now)
        yield f"  errors {known['errors']}, runs {execution.get('runs', 0)}; its execution began {since} ago"
    until = (plan["metadata"].get("annotations") or {}).get("execloop.dev/suspend-until")
    if until and condition(plan, "Suspended"):
        yield f"  suspended until {until}"
    if known.get("lastConvergedAt"):
        yield f"  last converged {age(known['lastConvergedAt'], now)} ago"
