"""What goes wrong with a request.

    HttpError
    ├── Refused        the server answers that it will not
    └── BadAnswer      the answer cannot be understood

What passes without help is a `Wait`, not an error, `Unreachable` among them.
"""

from __future__ import annotations

from execloop._engine.waits import Wait

__all__ = ["BadAnswer", "HttpError", "Refused", "Unreachable"]


class HttpError(Exception):
    """A request failed. The message has method, host and path; no query, no header, no credential."""


class Refused(HttpError):
    """The server answered with a status of 400 or more."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class BadAnswer(HttpError):
    """Too large, no JSON, a redirect that is not followed."""


class Unreachable(Wait):
    """No answer came, though the address is allowed; another attempt may get one."""
