"""What an administrator decides when the operator is started.

The command makes `Settings` from options; `process` and the operator read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from execloop.controller.access import Access

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Election", "Settings"]


@dataclass(frozen=True, slots=True)
class Election:
    """The Lease whose holder leads, or those of the ranges whose holders share the Plans."""

    name: str = "execloop"
    namespace: str = ""
    """Empty: the one that the operator itself is in."""
    duration: int = 15
    """Seconds."""
    shards: int = 1
    """Ranges that the Plans are divided into, with a Lease each."""
    shard_selector: bool = False
    """Whether the API server is asked to send the Plans of the own ranges only."""


@dataclass(frozen=True, slots=True)
class Settings:
    namespaces: tuple[str, ...] = ()
    """Empty: all of them."""
    plans: tuple[Path, ...] = ()
    """Folders of plan modules, besides the installed plans."""
    kubeconfig: Path | None = None
    workers: int = 10
    """Calls of plan code at the same time."""
    max_threads: int = 200
    """Threads that blocked plan code may hold."""
    health_port: int | None = None
    selector: str = ""
    """Labels of the Plans to converge, as a label selector. Empty: all of them."""
    election: Election | None = None
    """None: there is no other operator."""
    log_format: Literal["json", "plain"] = "plain"
    log_level: str = "info"
    journal: Path | None = None
    """The file that notes which plan code runs. None: one in the temporary folder."""
    access: Access = field(default_factory=Access)
    trust_secrets_policy: bool = False
    """Whether the policy about Secrets counts as in force where the operator may not look."""

    @property
    def sees_all_plans(self) -> bool:
        """Return whether the watch of Plans reports every Plan of the namespaces, those of other operators included."""
        return not self.selector and not (self.election is not None and self.election.shard_selector)
