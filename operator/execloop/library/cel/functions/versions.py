"""`semver('1.2.3')`: versions by the rules of semver.org 2.0.0."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from execloop.library.cel.functions.declaration import Function, content, limited, method, of_text, wellformed

__all__ = ["FUNCTIONS", "KIND", "precedence"]

Precedence: TypeAlias = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]

KIND: Final = "semver"
_LONGEST: Final = 256
_NUMBER = r"(0|[1-9]\d{0,17})"
_PART = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_TEXT = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


def semver(text: str) -> dict[str, str]:
    """Return a version."""
    _matched(text)
    return {KIND: text}


def _matched(text: str) -> re.Match[str]:
    found = _TEXT.fullmatch(limited(text, _LONGEST, "a version"))
    if found is None:
        raise ValueError("this is not a version, such as 1.2.3 or 1.2.3-rc.1")
    return found


def precedence(value: Any) -> Precedence:
    """Return what versions are compared by: a release is above its pre-releases, and what was built is left out."""
    found = _matched(content(value, KIND))
    before = (found[4] or "").split(".") if found[4] else []
    parts = tuple((not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in before)
    return (int(found[1]), int(found[2]), int(found[3])), not before, parts


def _number(place: int) -> Function:
    name = ("major", "minor", "patch")[place]
    return method(name, lambda value: precedence(value)[0][place], "INT")


FUNCTIONS: Final[tuple[Function, ...]] = (
    of_text("semver", semver),
    of_text("isSemver", wellformed(semver), "BOOL"),
    *(_number(place) for place in range(3)),
)
