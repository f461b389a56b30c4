"""Which Plans a command is about: names, which complete in the shell, or all that flags select."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.session import Place, Plan, Session, key, run
from execloop.cli.exits import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from click.shell_completion import CompletionItem

__all__ = ["name_argument", "names_argument", "names_or_all", "ordered", "select"]

_SECONDS = 2.0


def _complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of the Plans that the flags before the cursor mean; none when the cluster does not answer."""
    import asyncio  # noqa: PLC0415 - the command starts without it

    from click.shell_completion import CompletionItem  # noqa: PLC0415 - as above

    found: list[CompletionItem] = []

    async def work(session: Session) -> None:
        plans = await asyncio.wait_for(session.plans(), _SECONDS)
        found.extend(CompletionItem(key(one)[1], help=(one.get("status") or {}).get("state")) for one in plans)

    flags = context.params
    try:
        run(Place(flags.get("kubeconfig"), flags.get("context"), flags.get("namespace")), work)
    except Exception:  # noqa: BLE001 - a shell that completes shows no error
        return []
    return [one for one in found if one.value.startswith(incomplete)]


def name_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument NAME, of one Plan."""
    return click.argument("name", shell_complete=_complete)(function)


def names_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument NAME..., which may be left out."""
    return click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete)(function)


def names_or_all(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument NAME..., and --all for each Plan of the namespace."""
    return names_argument(click.option("--all", "every", is_flag=True, help="Every Plan of the namespace.")(function))


async def select(session: Session, names: Sequence[str], *, every: bool) -> list[Plan]:
    """Return the named Plans, or all of the namespace. Raises Mistake, ApiError."""
    if every == bool(names):
        raise Mistake("give names of Plans, or --all" if not names else "give names of Plans or --all, not both")
    if every:
        return await session.plans()
    return [await session.plan(name) for name in dict.fromkeys(names)]


def ordered(plans: Iterable[Plan]) -> list[Plan]:
    """Return Plans so that each comes after those it depends on; a circle ends where it began."""
    from execloop.controller.status.explain import KIND, dependencies  # noqa: PLC0415 - the command starts without it

    known = {key(plan): plan for plan in plans}
    found: dict[tuple[str, str], Plan] = {}
    seen: set[tuple[str, str]] = set()
    stack = [(place, False) for place in reversed(known)]
    while stack:
        place, done = stack.pop()
        if done:
            found[place] = known[place]
        elif place not in seen:
            seen.add(place)
            stack.append((place, True))
            needs = [(one.namespace, one.name) for one in dependencies(known[place]) if one.kind == KIND]
            stack += [(one, False) for one in needs if one in known and one not in seen]
    return list(found.values())
