"""`execloop run`: a plan on this machine, with no operator."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import click

from execloop._engine.executor import Executor
from execloop.cli.display.lines import Lines
from execloop.cli.display.terminal import printable
from execloop.cli.display.tracebacks import plan_traceback
from execloop.cli.exits import CONVERGED
from execloop.cli.local.access import ClusterAccess
from execloop.cli.local.conduct import Ending, conduct
from execloop.cli.local.page import page_option, shown, stay, stay_option
from execloop.cli.local.target import Target, resolve, target_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from execloop._engine.events import Listener
    from execloop.cli.cluster.session import Place

__all__ = ["run"]


@click.command(
    epilog="Exit codes: 0 converged, 1 failed, 2 wrong usage, 124 timed out, 130 interrupted, 143 terminated."
)
@target_arguments
@click.option("--json", "as_json", is_flag=True, help="Print nothing but a JSON report at the end.")
@page_option
@stay_option
def run(
    place: Place,
    *,
    target: str,
    assignments: tuple[str, ...],
    folders: tuple[Path, ...],
    as_json: bool,
    address: str | None,
    stays: bool,
    traceback: bool,
) -> int:
    """Run a plan on this machine until it converges.

    The plan is one that is installed, by NAME; or the only one of FILE.py; or the one that a Plan manifest names, with
    the manifest's parameters and its sleepBetweenRuns, errorsToTolerate, executionTimeout and parallelism.
    """
    _log_to_stderr()
    found = resolve(target, assignments, folders, place.namespace)
    context = ClusterAccess(place, found.namespace).context(found)
    with shown(address, stays, found.name) as record:
        with _no_listener() if as_json else _reporting(found) as listeners:
            executor = Executor(
                found.options, listeners=listeners if record is None else (*listeners, record.listener())
            )
            ending = conduct(executor, lambda: found.make(context))
        if record is not None:
            record.end(ending.result, ending.why)
        if as_json:
            click.echo(json.dumps({"plan": found.registered.name, **ending.to_json()}))
        else:
            _report_end(found, ending)
        if stays:
            stay(ending)
    if traceback and ending.error is not None:
        click.echo(plan_traceback(ending.error), err=True)
    return ending.exit_code


@contextmanager
def _no_listener() -> Iterator[tuple[Listener, ...]]:
    """Send what the plan prints to stderr, so that stdout is JSON only."""
    with redirect_stdout(sys.stderr):
        yield ()


@contextmanager
def _reporting(target: Target) -> Iterator[tuple[Listener, ...]]:
    if not sys.stdout.isatty():
        yield (Lines(click.echo),)
        return
    from rich.console import Console  # noqa: PLC0415 - a pipe does without

    from execloop.cli.display.live import LiveProgress  # noqa: PLC0415 - a pipe does without

    console = Console()
    if console.is_dumb_terminal:
        yield (Lines(click.echo),)
        return
    with LiveProgress(target.name, console) as progress:
        yield (progress,)


class _Stderr(logging.Handler):
    """Wherever stderr is at the moment: live progress makes room for what is written to it."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(printable(self.format(record)), err=True)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", handlers=[_Stderr()])
    logging.getLogger("execloop.plan").setLevel(logging.INFO)  # what plan code says itself


def _report_end(target: Target, ending: Ending) -> None:
    good = ending.exit_code == CONVERGED
    text = printable(f"{target.name}: {ending.words}")
    click.secho(text, fg="green" if good else "red", err=not good)
