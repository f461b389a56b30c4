"""`execloop diff`: what a run would change now. The operator answers; the command has no plan code."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.durations import in_seconds
from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Plan, Session, connected, key
from execloop.cli.display.terminal import printable
from execloop.cli.exits import CONVERGED, FAILED, TIMEOUT
from execloop.resource.annotations import PREVIEW, now
from execloop.resource.fields import status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["diff", "shown"]


@click.command(
    epilog="""\b
Exit codes: 0 nothing would run, 1 tasks would run, 124 the operator did not answer in time.
\b
Examples:
  execloop diff orders"""
)
@name_argument
@click.option(
    "--timeout",
    "patience",
    callback=in_seconds,
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long the operator has to answer.",
)
@connected
async def diff(session: Session, name: str, patience: float) -> int:
    """Show the tasks that a run of a Plan would do now, and run none."""
    import asyncio  # noqa: PLC0415 - costly to import

    plan = await session.plan(name)
    asked = now()
    await session.patch(plan, {"metadata": {"annotations": {PREVIEW: asked}}})
    try:
        async with asyncio.timeout(patience or None):
            answer = await _answer(session, plan, asked)
    except TimeoutError:
        click.echo(
            f"the operator has not answered in time: it is busy with this Plan, does not run (`execloop check`), or is"
            f" of a version that does not answer the annotation {PREVIEW}",
            err=True,
        )
        return TIMEOUT
    for line in shown(answer):
        click.echo(line)
    return FAILED if answer.get("count") or answer.get("tasks") or answer.get("error") else CONVERGED


async def _answer(session: Session, plan: Plan, asked: str) -> Mapping[str, Any]:
    """Return `status.preview` once it answers what was asked."""
    from execloop.cli.cluster.changes import changes  # noqa: PLC0415 - costly to import

    namespace, name = key(plan)
    async with aclosing(changes(session, name, namespace)) as stream:
        async for kind, found in stream:
            preview = status(found).get("preview") if kind != "LISTED" else None
            if isinstance(preview, dict) and preview.get("request") == asked:
                return preview
    return {}


def shown(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of an answer."""
    if answer.get("error"):
        yield f"create() raised: {printable(str(answer['error']))}"
    tasks = answer.get("tasks") or []
    for task in tasks:
        name, detail = (task.get("name"), task.get("detail")) if isinstance(task, dict) else (task, None)
        yield f"+ {printable(str(name))}"
        if detail:
            yield f"  {printable(str(detail))}"
    more = int(answer.get("count") or len(tasks)) - len(tasks)
    if more > 0:
        yield f"  and {more} more"
    if not tasks and not answer.get("error"):
        yield "nothing would run"
