"""`execloop run --page`: the live page of a run on this machine."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from execloop.cli.exits import INTERRUPTED, TERMINATED, Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.cli.local.conduct import Ending
    from execloop.page.runs.record import Record
    from execloop.page.settings import PageSettings

__all__ = ["page_option", "shown", "stay", "stay_option"]

_ANYWHERE: Final = "127.0.0.1:0"

page_option = click.option(
    "--page",
    "address",
    is_flag=False,
    flag_value=_ANYWHERE,
    metavar="[HOST:PORT]",
    help="Show the run to browsers on this machine, at a free port unless one is given. Needs the extra `page`.",
)
stay_option = click.option("--page-stay", "stays", is_flag=True, help="Keep the page after the run, until Ctrl-C.")


@contextmanager
def shown(address: str | None, stays: bool, name: str) -> Iterator[Record | None]:
    """Serve the page of a run, and give the listener that fills it; None without an address. Raises Mistake."""
    if address is None:
        if stays:
            raise Mistake("--page-stay needs --page")
        yield None
        return
    from execloop.kube import ConfigurationError  # noqa: PLC0415 - needs the extra `operator`
    from execloop.page import local  # noqa: PLC0415 - needs the extra `page`
    from execloop.page.runs.record import Record  # noqa: PLC0415 - as above

    record = Record(name, time.monotonic, lambda: datetime.now(UTC))
    try:
        with local.shown(record, _settings(address)) as place:
            click.echo(f"the page of this run: {place}", err=True)
            yield record
    except ConfigurationError as error:
        raise Mistake(str(error)) from None


def stay(ending: Ending) -> None:
    """Wait for Ctrl-C, unless that has ended the run."""
    if ending.exit_code in (INTERRUPTED, TERMINATED):
        return
    click.echo("the page stays until Ctrl-C", err=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _settings(address: str) -> PageSettings:
    from execloop.page.access.origin import on_loopback  # noqa: PLC0415 - as above
    from execloop.page.settings import PageSettings  # noqa: PLC0415 - as above

    try:
        settings = PageSettings.at(address)
    except ValueError:
        wanted = "should be HOST:PORT or :PORT; write --page after the name of the plan, or --page=:8090"
        raise Mistake(f"--page: {address!r} {wanted}") from None
    host = "127.0.0.1" if settings.host in (None, "localhost") else settings.host
    if not on_loopback(host):
        wanted = "is not this machine: the page of a run has no sign-in; use localhost, and ssh -L from elsewhere"
        raise Mistake(f"--page: {host} {wanted}")
    return replace(settings, host=host)
