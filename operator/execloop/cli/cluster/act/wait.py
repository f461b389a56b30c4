"""`execloop wait`: until Plans are Ready or Stalled, for the newest spec and the newest request."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click

from execloop.cli.cluster.durations import in_seconds
from execloop.cli.cluster.selection import names_or_all, select
from execloop.cli.cluster.session import Plan, Session, connected, key
from execloop.cli.display.terminal import printable
from execloop.cli.exits import CONVERGED, FAILED, TIMEOUT
from execloop.resource.annotations import REQUESTED_AT, RETRY, SKIP, annotation
from execloop.resource.fields import condition, state, status

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["timeout_option", "verdict", "wait", "wait_for"]

Verdict: TypeAlias = Literal["ready", "stalled", "working"]

_REFUSED: Final = frozenset({"InvalidSpec", "UnknownPlan", "InvalidParameters", "AccessDenied", "NotSupported"})
"""Such a Plan begins no execution, and so answers no request."""

timeout_option = click.option(
    "--timeout",
    "patience",
    callback=in_seconds,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long to wait; 0s for ever.",
)


@click.command(
    epilog="""\b
Exit codes: 0 all are Ready, 1 one is Stalled or was deleted, 124 timed out.
\b
Examples:
  execloop wait orders --timeout 10m
  kubectl apply -f plans/ && execloop wait --all -n shop"""
)
@names_or_all
@timeout_option
@connected
async def wait(session: Session, names: tuple[str, ...], every: bool, patience: float) -> int:
    """Wait until Plans are Ready or Stalled: for their newest spec, and after a request for the answer to it."""
    return await wait_for(session, await select(session, names, every=every), patience)


async def wait_for(session: Session, plans: Iterable[Plan], patience: float) -> int:
    """Return the exit code. The Plans are of the session's namespace; all have the same deadline."""
    import asyncio  # noqa: PLC0415 - costly to import

    left = {key(plan): plan for plan in plans}
    try:
        async with asyncio.timeout(patience or None):
            return await _settled(session, left)
    except TimeoutError:
        for (_, name), plan in sorted(left.items()):
            click.echo(f"plan {name}: timed out; {_now(plan)}", err=True)
        return TIMEOUT


async def _settled(session: Session, left: dict[tuple[str, str], Plan]) -> int:
    """Return the exit code once none is `left`; keep the newest of each there until then. One watch serves all."""
    from execloop.cli.cluster.changes import changes  # noqa: PLC0415 - costly to import

    code, seen = CONVERGED, set[tuple[str, str]]()
    only = next(iter(left))[1] if len(left) == 1 else ""
    async with aclosing(changes(session, only)) as stream:
        while left:
            kind, plan = await anext(stream)
            gone = sorted(left.keys() - seen) if kind == "LISTED" else [key(plan)] if kind == "DELETED" else []
            for place in gone:
                if left.pop(place, None) is not None:
                    click.echo(f"plan {place[1]} was deleted", err=True)
                    code = FAILED
            if gone or kind == "LISTED" or key(plan) not in left:
                continue
            seen.add(key(plan))
            left[key(plan)] = plan
            if (found := verdict(plan)) != "working":
                click.echo(f"plan {key(plan)[1]}: {_now(plan)}")
                code = FAILED if found == "stalled" else code
                del left[key(plan)]
    return code


def verdict(plan: Plan) -> Verdict:
    """Return how far a Plan is with its newest spec and its newest request."""
    generation, known = plan["metadata"].get("generation"), status(plan)
    if plan["metadata"].get("deletionTimestamp"):
        return "working"
    stalled, ready = condition(plan, "Stalled"), condition(plan, "Ready")
    requested = annotation(plan, REQUESTED_AT)
    answered = requested is None or requested == known.get("lastHandledReconcileAt")
    answered = answered and not _asks_about_a_step(plan)
    if stalled and stalled.get("observedGeneration") == generation:
        return "stalled" if answered or stalled.get("reason") in _REFUSED else "working"
    current = known.get("observedGeneration") == generation == ready.get("observedGeneration")
    return "ready" if ready.get("status") == "True" and current and answered else "working"


def _asks_about_a_step(plan: Plan) -> bool:
    """Return whether a request names the execution at hand: the one that answers it has another id."""
    execution = (status(plan).get("execution") or {}).get("id")
    asked = {(annotation(plan, kind) or "").rpartition("@")[2] for kind in (RETRY, SKIP)}
    return bool(execution) and execution in asked


def _now(plan: Plan) -> str:
    message = printable(
        str(
            (condition(plan, "Stalled") or condition(plan, "Reconciling") or condition(plan, "Ready")).get(
                "message", ""
            )
        )
    )
    return f"{state(plan)}{f': {message}' if message else ''}"
