"""What a named plan is told about the world it works in."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from execloop._engine.execution import Execution

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.client import ApiClient

    from execloop.kube import Kube

__all__ = ["Context"]


def _no_cluster() -> NoReturn:
    raise RuntimeError("this plan needs a cluster and none was given: pass --kubeconfig, or set KUBECONFIG")


@dataclass(frozen=True, slots=True)
class Context:
    """Outside the operator `namespace`, `uid` and `generation` are empty; `name` is then the plan's own."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = field(
        default_factory=lambda: logging.getLogger("execloop.plan")
    )
    execution: Execution = field(default_factory=Execution)
    connect: Callable[[], Kube] = field(default=_no_cluster, repr=False)
    connect_official: Callable[[], ApiClient] = field(default=_no_cluster, repr=False)

    @property
    def kube(self) -> Kube:
        """The asynchronous client of plain dicts, for async plan code."""
        return self.connect()

    @property
    def api_client(self) -> ApiClient:
        """The official synchronous client, made when first used, for blocking plan code."""
        return self.connect_official()
