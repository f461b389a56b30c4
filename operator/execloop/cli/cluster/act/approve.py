"""`execloop approve`: show the tasks that wait, ask, and approve exactly these."""

from __future__ import annotations

import click

from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Plan, Session, connected
from execloop.cli.display.terminal import printable
from execloop.cli.exits import CONVERGED, FAILED, Mistake
from execloop.resource import requests
from execloop.resource.annotations import APPROVE, annotation
from execloop.resource.fields import state, status

__all__ = ["approve"]

_FORBIDDEN = frozenset({403, 422})


@click.command(
    epilog="""\b
Examples:
  execloop approve keys
  execloop approve keys --yes --digest a852eb74459811b94a0b47469e88da8b"""
)
@name_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--digest", metavar="DIGEST", help="Approve only if the pending tasks still have this digest.")
@connected
async def approve(session: Session, name: str, yes: bool, digest: str | None) -> int:
    """Approve the tasks of a Plan that wait for it. When they change meanwhile the approval counts for nothing."""
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    plan = await session.plan(name)
    pending = _pending(plan)
    if digest is not None and digest != pending["digest"]:
        raise Mistake(
            f"other tasks are pending now, with the digest {pending['digest']}: read them, `execloop approve {name}`"
        )
    _show(pending)
    if annotation(plan, APPROVE) == pending["digest"]:
        click.echo("these tasks are approved already; the operator is about to run them")
        return CONVERGED
    if not yes and not click.confirm("Approve these tasks?", default=False, err=True):
        click.echo("nothing was approved", err=True)
        return FAILED
    user = await session.user()
    try:
        await session.patch(plan, requests.approve(str(pending["digest"]), user))
    except ApiError as error:
        if error.status not in _FORBIDDEN:
            raise
        raise Mistake(
            f"you may not approve this Plan: {error.message}; it needs the verbs patch and approve on plans"
        ) from None
    click.echo(f"plan {name} approved{f' by {user}' if user else ''}")
    return CONVERGED


def _pending(plan: Plan) -> dict[str, object]:
    found = status(plan).get("pending")
    if plan.get("spec", {}).get("mode") == "Preview" or not found:  # a preview's tasks need no approval
        name = plan["metadata"]["name"]
        raise Mistake(f"no tasks of Plan {name} wait for an approval; its state is {state(plan)}")
    return dict(found)


def _show(pending: dict[str, object]) -> None:
    names, count = pending.get("tasks"), pending.get("count")
    shown = names if isinstance(names, list) else []
    found = pending.get("details")
    details = {one["name"]: one["detail"] for one in found} if isinstance(found, list) else {}
    for number, one in enumerate(shown, start=1):
        click.echo(f"{number:>3}. {printable(str(one))}")
        for line in str(details.get(one, "")).splitlines():
            click.echo(f"       {printable(line)}")
    if isinstance(count, int) and count > len(shown):
        click.echo(f"     and {count - len(shown)} more, which the status does not name")
