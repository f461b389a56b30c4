"""Where a cluster is and who we are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execloop.kube.config.credentials import Credentials

__all__ = ["Cluster"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """`ca`: PEM, None for what the system trusts; `server_name`: the name its certificate has, when not the host's."""

    server: str
    credentials: Credentials
    ca: str | None = None
    insecure: bool = False
    server_name: str | None = None
    proxy: str | None = None
    namespace: str = "default"
