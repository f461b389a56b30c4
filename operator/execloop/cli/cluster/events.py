"""`execloop events`: what the operator reported of a Plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import KIND, Plan, Session, connected, key
from execloop.cli.display.table import show
from execloop.cli.display.terminal import coloured
from execloop.cli.display.times import age
from execloop.cli.exits import CONVERGED

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["events", "events_of"]


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
    found = await events_of(session, plan)
    if not found:
        click.echo(f"no Events of Plan {name}", err=True)
        return CONVERGED
    rows = [
        (f"{age(_time(one))} ago", str(one["type"]), str(one["reason"]), str(one.get("message", ""))) for one in found
    ]
    show(("SEEN", "TYPE", "REASON", "MESSAGE"), rows, lambda column, text: coloured(text) if column == "TYPE" else text)
    return CONVERGED


async def events_of(session: Session, plan: Plan) -> list[dict[str, Any]]:
    """Return the Events of a Plan, oldest first. Raises ApiError."""
    namespace, name = key(plan)
    selector = f"involvedObject.kind={KIND},involvedObject.name={name},involvedObject.uid={plan['metadata']['uid']}"
    answer = await session.kube.request(
        "GET", f"/api/v1/namespaces/{namespace}/events", query={"fieldSelector": selector}
    )
    return sorted(answer.get("items") or (), key=_time)


def _time(event: Mapping[str, Any]) -> str:
    """Return when an Event was seen last; the fields of old and new Events differ."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
