"""What a plan keeps in `context.state`: checked, and written with the status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from execloop._engine.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.controller.plancode.redaction import Redactor

__all__ = ["MOST_BYTES", "Kept", "Unkept", "checked"]

MOST_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """It may be written."""

    state: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Unkept:
    """It may not be written; the message has no value of it."""

    error: FatalError


def checked(state: Mapping[str, Any], redactor: Redactor) -> Kept | Unkept:
    """Return a copy of what a plan keeps, or why it cannot be kept: not JSON, too large, or with a Secret's value."""
    try:
        text = json.dumps(dict(state), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError, RuntimeError) as error:
        return Unkept(FatalError(f"context.state must hold JSON values only ({type(error).__name__})"))
    if size > MOST_BYTES:
        return Unkept(FatalError(f"context.state has {size} bytes, at most {MOST_BYTES} are kept: keep less of it"))
    if redactor.text(text) != text:
        return Unkept(FatalError("context.state holds a value of a Secret: keep a name or a hash in its place"))
    return Kept(json.loads(text) or None)
