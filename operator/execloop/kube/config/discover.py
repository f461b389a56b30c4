"""Find the cluster: in the kubeconfig that is given, else in the environment. A connection is made of what is found."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from execloop.kube.config.cluster import Cluster
from execloop.kube.config.credentials import token_file
from execloop.kube.config.proxy import proxy_for
from execloop.kube.config.tls import Tls
from execloop.kube.errors import ConfigurationError, NoCluster

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["discover"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def discover(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Cluster:
    """The kubeconfig that was given, else $KUBECONFIG, else the pod's service account, else ~/.kube/config."""
    from execloop.kube.config.kubeconfig import read_kubeconfig  # noqa: PLC0415 - a pod needs no YAML

    if kubeconfig is not None:
        return read_kubeconfig([kubeconfig], context, environ)
    if environ.get("KUBECONFIG"):
        paths = [Path(path).expanduser() for path in environ["KUBECONFIG"].split(os.pathsep) if path]
        return read_kubeconfig(paths, context, environ)
    if context is None and environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(environ, service_account)
    home = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    if home.exists():
        return read_kubeconfig([home], context, environ)
    raise NoCluster(
        f"no cluster: no kubeconfig was given, KUBECONFIG is not set, this is not a pod, and there is no {home}"
    )


def _in_cluster(environ: Mapping[str, str], folder: Path) -> Cluster:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        ca = (folder / "ca.crt").read_text()
        namespace = (folder / "namespace").read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename}: {error.strerror}; a pod needs automountServiceAccountToken: true to reach the cluster"
        ) from None
    try:
        Tls(ca)
    except (ssl.SSLError, ValueError):
        raise ConfigurationError(f"{folder / 'ca.crt'} holds no certificate in PEM") from None
    credentials = token_file(folder / "token")
    credentials.renew(None)
    return Cluster(server, credentials, ca, proxy=proxy_for(server, environ), namespace=namespace)
