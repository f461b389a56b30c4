"""Keeps what Secrets hold out of what the plan says: it reads them itself, so that no one else knows their values."""

from __future__ import annotations

import base64
import binascii
import inspect
from typing import TYPE_CHECKING, Any, Final

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task, detail_of
from execloop._engine.waits import Wait
from execloop.library.steps.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Veil"]

_SHORTEST: Final = 4
"""Characters: a shorter text is in many words."""


class Veil:
    """`text` returns a message without the values of the Secrets that were read."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()

    def add(self, live: Mapping[str, Any]) -> None:
        """Learn the values of an object, if it is a Secret."""
        if (live.get("apiVersion"), live.get("kind")) != ("v1", "Secret"):
            return
        for value in (live.get("data") or {}).values():
            self._hidden.update(each for each in (str(value), *_plain(str(value))) if len(each) >= _SHORTEST)

    def text(self, said: str) -> str:
        for value in sorted(self._hidden, key=len, reverse=True):
            said = said.replace(value, "***")
        return said

    def over(self, found: Iterable[Task | Wait]) -> list[Task | Wait]:
        """Return tasks and waits that say nothing of these values."""
        if not self._hidden:
            return list(found)
        return [
            Wait(self.text(each.message), each.again_in) if isinstance(each, Wait) else _Veiled(each, self)
            for each in found
        ]


class _Veiled(Task):
    """Another task, without what must not be shown in its name, its detail and its errors."""

    def __init__(self, one: Task, veil: Veil) -> None:
        self.name, self.detail = veil.text(one.name), veil.text(detail_of(one))
        self.approval = getattr(one, "approval", False)
        self._one, self._veil = one, veil

    async def perform(self) -> Any:
        try:
            done: Any = self._one.perform()
            return await done if inspect.isawaitable(done) else done
        except Wait as wait:
            raise Wait(self._veil.text(wait.message), wait.again_in) from None
        except Exception as error:
            said = str(error)
            if (shown := self._veil.text(said)) == said:
                raise
            raise (FatalError if isinstance(error, FatalError) else StepError)(shown) from None


def _plain(value: str) -> list[str]:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return []
    return [text, *text.splitlines()]
