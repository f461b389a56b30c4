"""The cluster clients of plan code: one connection for all, one owner and one account for each Plan.

`Runs` takes a client for each plan that it makes; parameters and dependencies are read with the same account.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from execloop.kube import ApiError, Connection, Kube, api_client

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from execloop.controller.watch.cache import Key
    from execloop.kube.objects.cached import Cached
    from execloop.kube.objects.reach import Reach

__all__ = ["Clients"]


class Clients:
    """`account`: a service account of the Plan's namespace to act as; None for the operator itself.

    `cached` answers reads of plan code that ask for it.
    """

    def __init__(self, connection: Connection, cached: Cached | None = None) -> None:
        self._connection, self._cached = connection, cached
        self._lock = threading.Lock()
        self._official: dict[tuple[str, str] | None, ApiClient] = {}

    def kube(self, key: Key, uid: str, account: str | None, reach: Reach | None = None) -> Kube:
        connection = self._as(key.namespace, account)
        return Kube.for_plan(
            connection, namespace=key.namespace, name=key.name, uid=uid, reach=reach, cached=self._cached
        )

    def official(self, namespace: str, account: str | None) -> ApiClient:
        """Made when the first plan asks for it: importing it is costly."""
        identity = None if account is None else (namespace, account)
        with self._lock:
            if identity not in self._official:
                self._official[identity] = api_client(self._as(namespace, account))
            return self._official[identity]

    async def has_account(self, namespace: str, account: str) -> bool:
        """Whether it is there, or may not be asked for. Raises ApiError."""
        try:
            return await Kube(self._connection).get("v1", "ServiceAccount", account, namespace) is not None
        except ApiError as error:
            if not error.forbidden:
                raise
            return True

    def _as(self, namespace: str, account: str | None) -> Connection:
        return self._connection if account is None else self._connection.impersonating(namespace, account)
