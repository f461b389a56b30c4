"""How a function of our own is declared, and how its values are recognized.

The library of CEL has no types of ours. So a quantity, a version, an address, a range and a URL are mappings with one
key, the name of what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Function", "content", "limited", "method", "of_text", "wellformed"]

_LONGEST: Final = 4096


class Function(NamedTuple):
    """One overload. The names of types are those of the library."""

    name: str
    parameters: tuple[str, ...]
    result: str
    call: Callable[..., Any]
    member: bool = False
    listed: bool = False
    """Whether it looks at each member of a list."""


def of_text(name: str, call: Callable[[str], Any], result: str = "MAP") -> Function:
    """Return a function of a text."""
    return Function(name, ("STRING",), result, call)


def method(name: str, call: Callable[..., Any], result: str, *others: str) -> Function:
    """Return a function of a value of ours, written as its method."""
    return Function(name, ("MAP", *others), result, call, member=True)


def content(value: Any, kind: str) -> str:
    """Return what a value of a kind holds. Raises ValueError for another value."""
    if len(value) == 1 and kind in value and isinstance(text := value[kind], str):
        return limited(text, _LONGEST, f"what {kind}() gives")
    raise ValueError(f"this needs what {kind}() gives")


def limited(text: str, most: int, what: str) -> str:
    """Return the text. Raises ValueError when it is too long to be one."""
    if len(text) > most:
        raise ValueError(f"{what} has at most {most} characters")
    return text


def wellformed(make: Callable[[str], object]) -> Callable[[str], bool]:
    """Return the function that says whether another one takes a text."""

    def check(text: str) -> bool:
        try:
            make(text)
        except ValueError:
            return False
        return True

    return check
