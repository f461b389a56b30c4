"""Where in a plan's code an error was raised."""

from __future__ import annotations

import traceback
from asyncio import runners
from pathlib import Path

from execloop import run
from execloop.cli.lines import printable
from execloop.errors import ToleranceExceeded

__all__ = ["plan_traceback"]

_MACHINERY = {Path(code).parent for code in (run.__code__.co_filename, __file__, runners.__file__)}


def plan_traceback(error: BaseException) -> str:
    """The traceback from the first frame that is the plan's own; of a spent budget, that of its last error."""
    if isinstance(error, ToleranceExceeded) and error.__cause__ is not None:
        error = error.__cause__
    own = error.__traceback__
    while own is not None and Path(own.tb_frame.f_code.co_filename).parent in _MACHINERY:
        own = own.tb_next
    formatted = "".join(traceback.format_exception(type(error), error, own or error.__traceback__))
    return "\n".join(map(printable, formatted.splitlines()))
