"""What talking to a cluster can raise.

ExecloopError
├── ApiError                a request that failed, or never reached the server (status 0)
├── LeaseLost               a write that was not sent, because another process may have taken over
└── ConfigurationError      also a ValueError: how to reach the cluster is not said, or said wrongly
    └── NoCluster           nothing says where a cluster is
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import ExecloopError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ApiError", "ConfigurationError", "LeaseLost", "NoCluster"]


class ApiError(ExecloopError):
    """A request that failed.

    `status` is the HTTP status, 0 when no answer came; `reason` the API's own word (NotFound, Conflict, Forbidden, ...)
    or one of ours: Unreachable, Timeout, NoSuchKind, OwnedByAnotherPlan. `retry_after`: seconds the server asked for.
    """

    def __init__(
        self, status: int, reason: str, message: str, *, request: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.request = request
        self.retry_after = retry_after

    @property
    def unauthorized(self) -> bool:
        return self.status == HTTPStatus.UNAUTHORIZED

    @property
    def forbidden(self) -> bool:
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def not_found(self) -> bool:
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def conflict(self) -> bool:
        return self.status == HTTPStatus.CONFLICT

    @property
    def gone(self) -> bool:
        """A version or a place in a list that the server no longer knows."""
        return self.status == HTTPStatus.GONE

    def __str__(self) -> str:
        outcome = f"{self.status} {self.reason}" if self.status else self.reason
        return ": ".join(part for part in (self.request, outcome, self.message) if part)

    @classmethod
    def from_status(
        cls, code: int, status: Mapping[str, Any], *, request: str, retry_after: float | None = None
    ) -> ApiError:
        """From the `Status` object that the API server answers with; an empty one when it answered something else."""
        details = status.get("details")
        seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
        return cls(
            code,
            str(status.get("reason") or _reason(code)),
            str(status.get("message") or ""),
            request=request,
            retry_after=retry_after if seconds is None else float(seconds),
        )


class LeaseLost(ExecloopError):
    """Nothing was sent: this process no longer holds its Lease."""


class ConfigurationError(ExecloopError, ValueError):
    """How to reach the cluster is said wrongly; one line that names the file, the field and the fix."""


class NoCluster(ConfigurationError):
    """Nothing says where a cluster is."""


def _reason(code: int) -> str:
    try:
        return HTTPStatus(code).phrase.title().replace(" ", "")
    except ValueError:
        return "Unknown"
