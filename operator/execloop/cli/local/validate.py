"""`execloop validate`: Plan manifests, before a cluster sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from execloop.cli.display.terminal import printable
from execloop.cli.exits import FAILED
from execloop.cli.local.checking import check_parameters, check_resource, unchecked_parameters
from execloop.cli.local.target import load_registry, plans_option
from execloop.cli.manifests import Manifest, Problem, plans_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from execloop._plans.registry import Registry

__all__ = ["validate"]


@click.command(epilog="Exit codes: 0 all are valid, 1 some are not, 2 wrong usage.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@plans_option
@click.option(
    "--schema-only", is_flag=True, help="Do not check parameters: for manifests whose plans are not installed here."
)
def validate(files: tuple[str, ...], folders: tuple[Path, ...], schema_only: bool) -> int:
    """Check Plan manifests without a cluster: each Plan in each FILE (- for standard input).

    A line for each problem: file, YAML document, field. Objects that are not Plans are left out.
    """
    registry = None if schema_only else load_registry(folders)
    good = bad = 0
    for file in files:
        for item in plans_in(file):
            problems = list(_problems(item, registry))
            for problem in problems:
                click.echo(printable(str(problem)))
            if not problems and isinstance(item, Manifest):
                click.echo(printable(f"{file}:{item.number}: {item.name or item.metadata['generateName']} is valid"))
            bad, good = bad + bool(problems), good + (not problems)
    click.echo(f"{good} good, {bad} bad", err=True)
    return FAILED if bad else 0


def _problems(item: Manifest | Problem, registry: Registry | None) -> Iterator[Problem]:
    if isinstance(item, Problem):
        yield item
        return
    spec, problems = check_resource(item)
    yield from problems
    if spec is not None and registry is not None:
        yield from check_parameters(item, spec, registry)
        if spec.parameters and (unchecked := unchecked_parameters(item, spec, registry)):
            click.echo(printable(str(unchecked)), err=True)
