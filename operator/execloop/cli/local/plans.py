"""`execloop plans`: what there is to run, and what it wants to know."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

import click

from execloop._engine.errors import PlanError
from execloop.cli.display.table import show
from execloop.cli.display.terminal import printable
from execloop.cli.exits import Mistake
from execloop.cli.local.parameters import Parameter, parameters_of, schema_of
from execloop.cli.local.target import load_registry, plans_option

if TYPE_CHECKING:
    from pathlib import Path

    from execloop._plans.registry import Registered, Registry

__all__ = ["plans"]


@click.command()
@click.argument("name", required=False)
@plans_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with NAME the JSON Schema of its parameters.")
def plans(name: str | None, folders: tuple[Path, ...], as_json: bool) -> None:
    """List the plans that are installed; with NAME describe one and its parameters."""
    registry = load_registry(folders)
    if name is None:
        _list_as_json(registry) if as_json else _list(registry)
        _complain(registry)
        return
    try:
        registered = registry.get(name)
    except PlanError as error:
        raise Mistake(str(error)) from None
    if as_json:
        click.echo(json.dumps(schema_of(registered.definition), indent=2))
    else:
        _describe(registered)


def _list_as_json(registry: Registry) -> None:
    listed = [
        {
            "name": plan.name,
            "origin": plan.origin,
            "version": plan.version,
            "description": _summary(plan),
            "parameters": schema_of(plan.definition),
        }
        for plan in registry
    ]
    click.echo(json.dumps(listed, indent=2))


def _list(registry: Registry) -> None:
    if not registry:
        click.echo("no plans found: install a package that has plans, or name a folder with --plans", err=True)
        return
    rows = (
        (plan.name, plan.origin, plan.version, ", ".join(map(str, parameters_of(plan.definition)))) for plan in registry
    )
    show(("NAME", "ORIGIN", "VERSION", "PARAMETERS"), rows)


def _describe(plan: Registered) -> None:
    click.echo(f"{plan.name}, version {plan.version or 'unknown'}, from {plan.origin}")
    if summary := inspect.getdoc(plan.definition.factory):
        click.echo(f"\n{printable(summary)}".replace("\n  ", "\n"))
    click.echo()
    if rows := [_row(parameter) for parameter in parameters_of(plan.definition)]:
        show(("PARAMETER", "TYPE", "DEFAULT", "DESCRIPTION"), rows)
    else:
        click.echo(
            "It takes no parameters."
            if "additionalProperties" in schema_of(plan.definition)
            else "It takes any parameters: it has no model of them."
        )


def _row(parameter: Parameter) -> tuple[str, str, str, str]:
    return (
        parameter.name,
        parameter.type,
        "(required)" if parameter.required else parameter.default,
        parameter.description,
    )


def _summary(plan: Registered) -> str:
    return (inspect.getdoc(plan.definition.factory) or "").partition("\n")[0]


def _complain(registry: Registry) -> None:
    for name, claims in registry.ambiguous.items():
        click.secho(f"{name}: {len(claims)} plans have this name: {'; '.join(map(str, claims))}", fg="red", err=True)
    for origin, why in registry.failures.items():
        click.secho(printable(f"{origin}: {why}"), fg="red", err=True)
