"""Where in a plan's code an error was raised."""

from __future__ import annotations

import traceback
from asyncio import runners
from pathlib import Path

import execloop
from execloop._engine.errors import ToleranceExceeded
from execloop.cli.display.terminal import printable

__all__ = ["plan_traceback"]

_PACKAGE = Path(execloop.__file__).parent
_OWN = ("_engine", "_plans", "cli")
"""Where execloop's own frames are; what `execloop.library` raises is a plan's."""


def plan_traceback(error: BaseException) -> str:
    """The traceback from the first frame that is the plan's own; of a spent budget, that of its last error."""
    if isinstance(error, ToleranceExceeded) and error.__cause__ is not None:
        error = error.__cause__
    own = error.__traceback__
    while own is not None and _is_machinery(Path(own.tb_frame.f_code.co_filename)):
        own = own.tb_next
    formatted = "".join(traceback.format_exception(type(error), error, own or error.__traceback__))
    return "\n".join(map(printable, formatted.splitlines()))


def _is_machinery(file: Path) -> bool:
    if file.parent == Path(runners.__file__).parent:
        return True
    return file.is_relative_to(_PACKAGE) and file.relative_to(_PACKAGE).parts[0] in _OWN
