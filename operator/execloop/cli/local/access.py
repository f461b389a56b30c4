"""A plan's way to a cluster when no operator gives it one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from execloop._plans.context import Context, connected
from execloop.cli.exits import Mistake

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from execloop.cli.cluster.session import Place
    from execloop.cli.local.target import Target
    from execloop.kube import Connection, Kube

__all__ = ["ClusterAccess"]


class ClusterAccess:
    """Connects when the plan asks for it; at once when a flag names the cluster, so that a wrong one is said first."""

    def __init__(self, place: Place, namespace: str = "") -> None:
        self._place, self._namespace = place, namespace
        if place.kubeconfig is not None or place.context is not None:
            self._check()

    def _check(self) -> None:
        from execloop.kube.errors import ConfigurationError  # noqa: PLC0415 - needs the extra `operator`

        try:
            assert self.connection
        except ConfigurationError as error:
            raise Mistake(str(error)) from None

    @cached_property
    def connection(self) -> Connection:
        from execloop.kube import Connection  # noqa: PLC0415 - needs the extra `operator`

        return Connection.load(self._place.kubeconfig, self._place.context)

    @cached_property
    def kube(self) -> Kube:
        from execloop.kube import Kube  # noqa: PLC0415 - needs the extra `operator`

        return Kube(self.connection, namespace=self._namespace or self.connection.cluster.namespace)

    @cached_property
    def api_client(self) -> ApiClient:
        from execloop.kube.http.official import api_client  # noqa: PLC0415 - needs the extra `operator`

        return api_client(self.connection)

    def context(self, target: Target) -> Context:
        context = Context(target.name, namespace=target.namespace, plans=target.plans)
        return connected(context, lambda: self.kube, lambda: self.api_client)
