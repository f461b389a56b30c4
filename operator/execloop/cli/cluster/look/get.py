"""`execloop get`: the Plans of a namespace or of all, as a table or whole; with --watch as they change."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.columns import header, row
from execloop.cli.cluster.selection import names_argument
from execloop.cli.cluster.session import Plan, Session, connected, key
from execloop.cli.display.table import lines, show
from execloop.cli.display.terminal import coloured
from execloop.cli.exits import CONVERGED, Mistake
from execloop.resource.fields import state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["get"]


@click.command(
    epilog="""\b
Examples:
  execloop get                        the Plans of the context's namespace
  execloop get -A --state Stalled     all that need a person
  execloop get orders -o yaml         one, whole
  execloop get --watch                live, until Ctrl-C"""
)
@names_argument
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In every namespace.")
@click.option(
    "-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]), help="More columns, or another form."
)
@click.option("-w", "--watch", is_flag=True, help="Keep watching, and show what changes.")
@click.option("-l", "--selector", metavar="LABELS", help="Only Plans with these labels, such as team=shop.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only Plans in this state. May be repeated.")
@click.option("--plan", "code", metavar="PLAN", help="Only Plans that run this plan.")
@connected
async def get(
    session: Session,
    names: tuple[str, ...],
    everywhere: bool,
    output: str | None,
    watch: bool,
    selector: str | None,
    states: tuple[str, ...],
    code: str | None,
) -> int:
    """List Plans: whether they are ready, in which state, what happened and what is to be done."""
    wanted = _wanted(names, states, code)
    if watch:
        if output in {"json", "yaml"} or selector:
            raise Mistake("--watch shows a table of all states: it takes neither --selector nor -o json or yaml")
        await _watch(session, wanted, everywhere=everywhere, wide=output == "wide")
    if names and not everywhere and not selector:
        known = [plan for name in dict.fromkeys(names) if (plan := await session.find(name)) is not None]
    else:
        known = await session.plans("" if everywhere else None, selector)
    found = [plan for plan in known if wanted(plan)]
    missing = set(names) - {key(plan)[1] for plan in found}
    if missing and not states and code is None:
        raise Mistake(
            f"there is no Plan {', '.join(sorted(missing))} in {session.namespace}; `execloop get -A` lists all"
        )
    _print(found, output, names, everywhere=everywhere, place=session.namespace)
    return CONVERGED


def _wanted(names: Iterable[str], states: Iterable[str], code: str | None) -> Callable[[Plan], bool]:
    these, words = set(names), {word.lower() for word in states}

    def wanted(plan: Plan) -> bool:
        return (
            (not these or plan["metadata"]["name"] in these)
            and (not words or state(plan).lower() in words)
            and (code is None or plan.get("spec", {}).get("plan") == code)
        )

    return wanted


def _print(plans: list[Plan], output: str | None, names: tuple[str, ...], *, everywhere: bool, place: str) -> None:
    match output:
        case "name":
            for plan in plans:
                click.echo(f"plan.execloop.dev/{key(plan)[1]}")
        case "json" | "yaml":
            _dump(plans[0] if len(names) == 1 and plans else _listed(plans), output)
        case _ if not plans:
            click.echo(f"no Plans {'found' if everywhere else f'found in {place}'}", err=True)
        case _:
            _table(plans, wide=output == "wide", everywhere=everywhere)


def _listed(plans: list[Plan]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": plans}


def _dump(document: dict[str, Any], output: str) -> None:
    for one in document.get("items", [document]):
        one["metadata"].pop("managedFields", None)
    if output == "json":
        click.echo(json.dumps(document, indent=4, ensure_ascii=False))
        return
    import yaml  # noqa: PLC0415 - costly to import

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


def _style(column: str, text: str) -> str:
    return coloured(text) if column in {"READY", "STATE"} else text


def _table(plans: Iterable[Plan], *, wide: bool, everywhere: bool) -> None:
    rows = [row(plan, wide=wide, everywhere=everywhere) for plan in plans]
    show(header(wide=wide, everywhere=everywhere), rows, _style)


def _redraw(plans: list[Plan], *, wide: bool, everywhere: bool) -> None:
    """Show as many rows as the terminal has room for."""
    room = max(1, shutil.get_terminal_size().lines - 3)
    click.clear()
    _table(plans[:room], wide=wide, everywhere=everywhere)
    if len(plans) > room:
        click.echo(f"and {len(plans) - room} more: --state and --plan show fewer")


async def _watch(session: Session, wanted: Callable[[Plan], bool], *, everywhere: bool, wide: bool) -> None:
    """Show the table, on a terminal always the newest one in place, else a row for each change. Never returns."""
    from execloop.cli.cluster.changes import changes  # noqa: PLC0415 - costly to import

    live, listed = sys.stdout.isatty(), False
    known: dict[tuple[str, str], Plan] = {}
    async with aclosing(changes(session, namespace="" if everywhere else None)) as stream:
        async for kind, plan in stream:
            if kind == "LISTED":
                first, listed = not listed, True
            else:
                first = False
                known.pop(key(plan), None)
                if kind != "DELETED" and wanted(plan):
                    known[key(plan)] = plan
            if not listed:
                continue
            if live:
                _redraw([known[place] for place in sorted(known)], wide=wide, everywhere=everywhere)
            elif first:
                _table([known[place] for place in sorted(known)], wide=wide, everywhere=everywhere)
            elif kind != "LISTED" and wanted(plan):
                _, line = lines(
                    header(wide=wide, everywhere=everywhere), [row(plan, wide=wide, everywhere=everywhere)], _style
                )
                click.echo(line)
