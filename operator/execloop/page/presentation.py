"""Templates, and the files that browsers load beside them."""

from __future__ import annotations

import hashlib
import mimetypes
import time
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import ChainableUndefined, Environment, PackageLoader, pass_context
from markupsafe import Markup

from execloop.resource.times import age, moment, span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2.runtime import Context

__all__ = ["Asset", "Presentation"]

_PRECISE: Final = 60.0
"""Seconds from which on tenths say nothing."""
_SHORTEST: Final = 0.0005
_PACKAGE: Final = "execloop.page"


class Asset(NamedTuple):
    content: bytes
    content_type: str
    digest: str


class Presentation:
    """Renders templates, which escape whatever they are given. `now`: the time that ages are counted from."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.assets: Mapping[str, Asset] = _assets()
        self._now = now
        self.seconds = 0.0
        """What the last rendering took."""
        self._environment = environment = Environment(
            loader=PackageLoader(_PACKAGE, "templates"),
            autoescape=True,
            undefined=ChainableUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["asset"] = self._address
        environment.filters.update(ago=_ago, due=_due, span=span, took=_took, moment=moment)

    def render(self, template: str, **context: Any) -> str:
        """Return the HTML of a template."""
        began = time.perf_counter()
        html = self._environment.get_template(template).render(now=self._now(), **context)
        self.seconds = time.perf_counter() - began
        return html

    def _address(self, name: str) -> str:
        """Return the address of an asset, which changes with its content: browsers keep it for ever."""
        return f"/static/{name}?v={self.assets[name].digest}"


def _assets() -> dict[str, Asset]:
    found = {}
    for file in files(_PACKAGE).joinpath("static").iterdir():
        if (kind := mimetypes.guess_type(file.name)[0]) is not None:
            content = file.read_bytes()
            found[file.name] = Asset(content, kind, hashlib.sha256(content).hexdigest()[:16])
    return found


def _took(seconds: float) -> str:
    """Return how long a task took; many take less than a second."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= _SHORTEST else "<1 ms"
    return f"{seconds:.1f} s" if seconds < _PRECISE else span(seconds)


@pass_context
def _ago(context: Context, text: object) -> Markup:
    """Return how long ago a time is, or how soon it comes; the browser keeps it up to date."""
    return _time(text, age(text, context["now"]), "")


@pass_context
def _due(context: Context, text: object) -> Markup:
    """Return how soon a time comes, or that it has come."""
    found, now = moment(text), context["now"]
    return _time(text, "due" if found is not None and found <= now else age(text, now), "data-due")


def _time(text: object, words: str, mark: str) -> Markup:
    found = moment(text)
    if found is None:
        return Markup("&ndash;")
    exact = found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = found.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}" {}>{}</time>').format(exact, shown, mark, words)
