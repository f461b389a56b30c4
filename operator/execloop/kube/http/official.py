"""The official synchronous client on our own connection, for plan code that blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.kube.config.tls import Tls
from execloop.kube.http.sessions import user_agent

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

    from execloop.kube.http.connection import Connection

__all__ = ["api_client"]


def api_client(connection: Connection) -> ApiClient:
    """A new one, made when it is needed: importing it costs a quarter of a second and some 20 MiB.

    It shows the same credentials, renewed as ours are, and acts as the same user.
    """
    from kubernetes import client  # noqa: PLC0415 - costly, see above

    cluster = connection.cluster
    tls = Tls(cluster.ca, insecure=cluster.insecure)

    def authorize(configuration: Configuration) -> None:
        credential = cluster.credentials.fresh() or cluster.credentials.renew(None)
        tls.show(credential.certificate)
        if credential.authorization is not None:
            configuration.api_key["BearerToken"] = credential.authorization

    configuration = client.Configuration(host=cluster.server, proxy=cluster.proxy)
    configuration.verify_ssl = not cluster.insecure
    configuration.tls_server_name = cluster.server_name
    authorize(configuration)  # without a token the client never asks the hook for one
    configuration.refresh_api_key_hook = authorize  # type: ignore[assignment]  # its annotation is only None
    made = client.ApiClient(configuration)
    # Its own settings take a client's key from files only, and apply Python's stricter rules to authorities.
    made.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tls.context
    made.user_agent = user_agent()
    if connection.impersonated is not None:
        made.set_default_header("Impersonate-User", connection.impersonated)
    return made
