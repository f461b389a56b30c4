"""Which texts of a run a page keeps: of a Plan's, what its redactor lets through, cut to a length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from execloop._engine.errors import summary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AS_THEY_ARE", "Redacted", "Redactor", "Texts"]

_LONGEST_NAME: Final = 200
_LONGEST_MESSAGE: Final = 1000
_LONGEST_HERE: Final = 2000
_MOST_READ: Final = 2_000_000
"""Characters of one run that the redactor looks at: texts of a hostile plan must not keep it busy."""
_MOST_NAMES: Final = 2000
_UNREAD: Final = "(not shown: the texts of this run are too long)"


class Texts(Protocol):
    """What a record keeps of the texts of a run."""

    def name(self, name: str) -> str: ...

    def message(self, message: str) -> str: ...

    def error(self, error: BaseException) -> str: ...


class Redactor(Protocol):
    """What takes secret values out of a Plan's texts, wherever they are shown."""

    def text(self, message: str) -> str: ...

    def error(self, error: BaseException) -> str: ...


class _AsTheyAre:
    """The texts of a run on one's own machine."""

    def name(self, name: str) -> str:
        return name[:_LONGEST_HERE]

    def message(self, message: str) -> str:
        return message[:_LONGEST_HERE]

    def error(self, error: BaseException) -> str:
        return summary(error)[:_LONGEST_HERE]


AS_THEY_ARE: Final = _AsTheyAre()


class Redacted:
    """The texts of one run of a Plan, redacted when they are recorded: first as a whole, and cut afterwards."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._left = redactor, _MOST_READ
        self._names: dict[str, str] = {}
        """Names repeat, and each is redacted once."""

    def name(self, name: str) -> str:
        if (found := self._names.get(name)) is not None:
            return found
        shown = self._read(name, lambda: self._redactor.text(name), _LONGEST_NAME)
        if len(self._names) < _MOST_NAMES:
            self._names[name] = shown
        return shown

    def message(self, message: str) -> str:
        return self._read(message, lambda: self._redactor.text(message), _LONGEST_MESSAGE)

    def error(self, error: BaseException) -> str:
        return self._read(summary(error), lambda: self._redactor.error(error), _LONGEST_MESSAGE)

    def _read(self, text: str, redact: Callable[[], str], longest: int) -> str:
        self._left -= len(text)
        if self._left < 0:
            return _UNREAD
        shown = redact()
        return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
