"""What happened in a life, in order: kept as text, shown when it ends badly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Story"]


class Story:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lines: list[tuple[float, str, str]] = []

    def tell(self, who: str, what: str) -> None:
        self.lines.append((self._now(), who, what))

    def shown(self, name: str | None = None, most: int = 60) -> str:
        """The last lines; of one Plan, where one is named, and of what concerns all."""
        lines = [line for line in self.lines if name is None or f"/{name}" in line[2] or "/" not in line[2]]
        text = [f"{when:9.3f}  {who:<9} {what}" for when, who, what in lines[-most:]]
        return "\n".join([f"  … {len(lines) - most} lines before", *text] if len(lines) > most else text)
