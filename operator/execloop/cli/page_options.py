"""The flags of `execloop operator` about the live page."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from execloop.cli.exits import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.page.settings import PageSettings

__all__ = ["page_options"]

F = TypeVar("F", bound="Callable[..., Any]")

_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--page", metavar="[HOST]:PORT", help="Serve the live page here, such as :8090. Needs the extra `page`."
    ),
    click.option(
        "--page-actions", is_flag=True, help="Let people act on Plans through the page, with their own rights."
    ),
    click.option(
        "--page-audience", metavar="NAME", help="Audience that a token needs, besides that of the API server."
    ),
    click.option(
        "--page-key",
        type=_FILE,
        metavar="FILE",
        help="The key that signs cookies, the same for every replica.  [default: one that ends with the process]",
    ),
    click.option(
        "--page-impersonate",
        type=_FILE,
        metavar="FILE",
        help="Act for people by impersonation, as a proxy names them that sends the secret of this file.",
    ),
    click.option(
        "--page-impersonate-prefix",
        metavar="TEXT",
        help="Put this before the names of users and groups that the proxy sends.  [default: oidc:]",
    ),
)
_PREFIX = "page_"


def page_options(function: F) -> F:
    """Give a command the flags. The function gets `page`: PageSettings, or None without `--page`."""

    @wraps(function)
    def call(page: str | None, **others: Any) -> Any:
        given = {name.removeprefix(_PREFIX): others.pop(name) for name in list(others) if name.startswith(_PREFIX)}
        given["actions"] = given["actions"] or None
        return function(page=_settings(page, given), **others)

    decorated: Any = call
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return cast("F", decorated)


def _settings(address: str | None, options: dict[str, Any]) -> PageSettings | None:
    from execloop.page.settings import PageSettings  # noqa: PLC0415 - the command starts without it

    given = {name: value for name, value in options.items() if value is not None}
    flags = [f"--page-{name.replace('_', '-')}" for name in given]
    if address is None:
        if flags:
            raise Mistake(f"{flags[0]} needs --page")
        return None
    if "impersonate_prefix" in given and "impersonate" not in given:
        raise Mistake("--page-impersonate-prefix needs --page-impersonate")
    try:
        return PageSettings.at(address, **given)
    except ValueError as error:
        raise Mistake(f"--page: {error}") from None
