"""A tree of lines, as `tree` and `kubectl tree` draw one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Branch", "draw"]


@dataclass(slots=True)
class Branch:
    text: str
    children: list[Branch] = field(default_factory=list)

    def add(self, text: str) -> Branch:
        """Return a new branch of this one."""
        branch = Branch(text)
        self.children.append(branch)
        return branch


def draw(branch: Branch, first: str = "", rest: str = "") -> Iterator[str]:
    """Yield the lines, the branch's own first."""
    yield first + branch.text
    for index, child in enumerate(branch.children):
        last = index == len(branch.children) - 1
        yield from draw(child, f"{rest}{'└ ' if last else '├ '}", f"{rest}{'  ' if last else '│ '}")
