"""The clients that plan code gets: one connection for all, one owner for each Plan."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from execloop.kube import Connection, Kube, api_client

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from execloop.controller.track import Key

__all__ = ["Clients"]


class Clients:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._official: ApiClient | None = None

    def kube(self, key: Key, uid: str) -> Kube:
        return Kube.for_plan(self._connection, namespace=key.namespace, name=key.name, uid=uid)

    def official(self) -> ApiClient:
        """Made when the first plan asks for it: importing it is costly."""
        with self._lock:
            if self._official is None:
                self._official = api_client(self._connection)
            return self._official
