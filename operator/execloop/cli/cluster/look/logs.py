"""`execloop logs`: the operator's lines about one Plan, from all of its pods."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.durations import in_seconds
from execloop.cli.cluster.pods import operator_place, operator_pods
from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Session, connected, key
from execloop.cli.display.terminal import printable
from execloop.cli.exits import CONVERGED, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["line_of", "logs", "queries"]


@click.command(
    epilog="""\b
It needs list on pods and get on pods/log in the operator's namespace.
\b
Examples:
  execloop logs orders -f
  execloop logs orders --since 1h"""
)
@name_argument
@click.option("-f", "--follow", is_flag=True, help="Follow the log until Ctrl-C.")
@click.option("--since", callback=in_seconds, metavar="DURATION", help="Only lines of the last so long, such as 10m.")
@operator_place
@connected
async def logs(session: Session, name: str, follow: bool, since: float | None, home: str) -> int:
    """Print what the operator logged about a Plan."""
    import asyncio  # noqa: PLC0415 - costly to import

    place = "/".join(key(await session.plan(name)))
    pods = await operator_pods(session, home)
    await asyncio.gather(*(_print(session, pod, place, queries(follow=follow, since=since)) for pod in pods))
    return CONVERGED


def queries(*, follow: bool, since: float | None) -> dict[str, str]:
    """Return what to ask of a pod's log."""
    asked = {"follow": "true"} if follow else {}
    return asked if since is None else {**asked, "sinceSeconds": str(max(1, round(since)))}


async def _print(session: Session, pod: Mapping[str, Any], place: str, query: Mapping[str, str]) -> None:
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
    try:
        async with aclosing(session.kube.connection.lines(path, {**query, "container": _container(pod)})) as lines:
            async for line in lines:
                if (found := line_of(line, place)) is not None:
                    click.echo(found)
    except ApiError as error:
        if error.forbidden:
            raise Mistake(f"{error.message}; this needs get on pods/log in {namespace}") from None
        click.echo(f"{name}: {error.message or error}", err=True)  # one that ends, or has not begun; others may tell


def _container(pod: Mapping[str, Any]) -> str:
    names = [str(one["name"]) for one in pod["spec"]["containers"]]
    return "operator" if "operator" in names else names[0]


def line_of(line: str, place: str) -> str | None:
    """Return a line as it is shown when it is about this Plan, else None. The operator logs JSON or plain lines."""
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        if not isinstance(record, dict) or record.get("plan") != place:
            return None
        text = f"{record.get('time', '')} {str(record.get('level', '')).upper():<7} {record.get('message', '')}"
        return printable(f"{text}\n{record['exception']}" if record.get("exception") else text)
    return printable(line) if f" [{place}] " in line else None
