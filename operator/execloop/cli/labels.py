"""Label selectors on the command line of the operator: checked where it is started, not by its first list."""

from __future__ import annotations

import re

import click

__all__ = ["label_selector"]

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}"
_VALUE = rf"(?:{_NAME})?"
_SET = rf"(?:not)?in\s*\(\s*{_VALUE}(?:\s*,\s*{_VALUE})*\s*\)"
_ONE = rf"\s*(?:!?\s*{_KEY}|{_KEY}\s*(?:==?|!=)\s*{_VALUE}|{_KEY}\s+{_SET})\s*"
_SELECTOR = re.compile(rf"{_ONE}(?:,{_ONE})*")


def label_selector(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    """Return a label selector of an option, empty without one. Raises click.BadParameter."""
    if value is None or _SELECTOR.fullmatch(value):
        return value or ""
    raise click.BadParameter(f"{value!r} should be a label selector such as team=shop, tier!=test or 'tier in (a, b)'")
