"""Configure logging: JSON or plain lines, each with the namespace/name of the Plan that it is about.

The command calls `configure` once, before the operator starts.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from execloop.controller.plancode.redaction.redactor import Redactor

__all__ = ["configure"]

_encode = json.JSONEncoder(ensure_ascii=False).encode


class _Redacting(logging.Formatter):
    def text(self, record: logging.LogRecord) -> str:
        return self._redacted(record, record.getMessage())

    def traceback(self, record: logging.LogRecord) -> str | None:
        return self._redacted(record, self.formatException(record.exc_info)) if record.exc_info else None

    def _redacted(self, record: logging.LogRecord, text: str) -> str:
        redactor: Redactor | None = getattr(record, "redactor", None)
        return text if redactor is None else redactor.text(text)


class _Json(_Redacting):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.text(record),
        }
        if plan := getattr(record, "plan", None):
            line["plan"] = plan
        if traceback := self.traceback(record):
            line["exception"] = traceback
        return _encode(line)


class _Plain(_Redacting):
    def format(self, record: logging.LogRecord) -> str:
        plan = getattr(record, "plan", None)
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{time} {record.levelname:<7} {f'[{plan}] ' if plan else ''}{self.text(record)}"
        traceback = self.traceback(record)
        return f"{line}\n{traceback}" if traceback else line


def configure(form: Literal["json", "plain"], level: str) -> None:
    # No line says them, and they are a third of what a line costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as the HOWTO of logging has it
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form == "json" else _Plain())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
