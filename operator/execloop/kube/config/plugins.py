"""Credentials from the plugins that a kubeconfig names, run by the official client.

Importing that client costs a quarter of a second and some 20 MiB, so it waits until a plugin is needed.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from execloop.kube.config.credentials import ClientCertificate, Credential, RenewableCredentials
from execloop.kube.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["auth_provider", "exec_plugin"]

# As client-go: an answer that names no expiry is good until the server rejects it; one that does, until just before.
_EXPIRY_MARGIN = 60.0
# The official client looks at the token's own expiry each time it is asked.
_AUTH_PROVIDER_SECONDS = 60.0


def exec_plugin(
    where: str, settings: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path
) -> RenewableCredentials:
    """The `exec` entry of a kubeconfig's user. `where` names it in errors, `folder` is the kubeconfig's."""

    def run() -> Credential:
        from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415 - costly, see above
        from kubernetes.config.exec_provider import ExecProvider  # noqa: PLC0415 - costly, see above
        from kubernetes.config.kube_config import ConfigNode  # noqa: PLC0415 - costly, see above

        try:
            arguments = ConfigNode("exec", settings), str(folder), ConfigNode("cluster", cluster)
            status = ExecProvider(*arguments).run()
            return _from_exec_status(where, status)
        except ConfigException as error:
            raise ConfigurationError(f"{where}: {' '.join(str(error).split())}") from None
        except OSError as error:
            hint = " ".join(str(settings.get("installHint") or "is it installed?").split())
            raise ConfigurationError(f"{where}: {settings.get('command')}: {error.strerror}; {hint}") from None

    return RenewableCredentials(run)


def _from_exec_status(where: str, status: Mapping[str, Any]) -> Credential:
    token, certificate, key = (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not (certificate and key):
        raise ConfigurationError(f"{where}: the plugin answered with neither a token nor a certificate and its key")
    expiry = status.get("expirationTimestamp")
    return Credential(
        authorization=f"Bearer {token}" if token else None,
        certificate=ClientCertificate(certificate, key) if certificate and key else None,
        expires_at=datetime.fromisoformat(expiry).timestamp() - _EXPIRY_MARGIN if expiry else None,
    )


def auth_provider(where: str, kubeconfig: str, context: str) -> RenewableCredentials:
    """The `auth-provider` entry (oidc, gcp). The official client writes a refreshed token back, as kubectl does."""

    def run() -> Credential:
        from kubernetes.client import Configuration  # noqa: PLC0415 - costly, see above
        from kubernetes.config import ConfigException, load_kube_config  # noqa: PLC0415 - costly, see above

        configuration = Configuration()
        try:
            load_kube_config(kubeconfig, context, configuration)
        except (ConfigException, ValueError, KeyError) as error:
            raise ConfigurationError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from None
        authorization = configuration.api_key.get("BearerToken")
        if not authorization:
            raise ConfigurationError(f"{where}: it gave no token")
        return Credential(authorization, expires_at=time.time() + _AUTH_PROVIDER_SECONDS)

    return RenewableCredentials(run)
