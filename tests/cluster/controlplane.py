"""etcd, kube-apiserver and kube-controller-manager on this machine; no pods run.

The only TCP port is the API server's. etcd, which asks nobody for a password, listens on a socket in a folder that only
this user may enter; it is named by a relative path, because the absolute one may be longer than a socket's can be.
"""

import http.client
import os
import secrets
import shlex
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.cluster import kubeconfig
from tests.cluster.cluster import Cluster, wait_until
from tests.cluster.component import Component
from tests.cluster.errors import StartFailed

_HOST = "127.0.0.1"
_START_SECONDS = 60
API_SERVER_FLAGS = "EXECLOOP_API_SERVER_FLAGS"
"""The environment variable with further flags of the API server, for a test that needs an alpha feature of it."""


@contextmanager
def run(folder: Path, argument: str) -> Iterator[Cluster]:
    """`argument` is the folder of the binaries. SIGUSR1 and SIGUSR2 stop and start the API server; SIGHUP etcd anew."""
    binaries = Path(argument)
    with ExitStack() as stack:
        data = stack.enter_context(_empty(folder / "data"))
        port = stack.enter_context(_reserved_port())
        token = secrets.token_urlsafe(24)
        cluster = Cluster(
            kubeconfig=folder / "kubeconfig",
            server=f"https://{_HOST}:{port}",
            token=token,
            bin=binaries,
            controller_manager=(binaries / "kube-controller-manager").is_file(),
            supervisor=os.getpid(),
        )

        etcd = _etcd(data, binaries)
        _start(stack, etcd, (data / "etcd.sock").exists)
        signal.signal(signal.SIGHUP, lambda *_: _restart(etcd))
        api_server = _api_server(data, binaries, port, token, service_accounts=cluster.controller_manager)
        signal.signal(signal.SIGUSR1, lambda *_: api_server.kill())
        signal.signal(signal.SIGUSR2, lambda *_: api_server.start())
        certificate = data / "certs" / "apiserver.crt"
        _start(stack, api_server, partial(_ready, port, certificate))

        kubeconfig.write(cluster, certificate)
        if cluster.controller_manager:
            _start(stack, _controller_manager(data, cluster), partial(kubeconfig.has_default_account, cluster))
        yield cluster


def _restart(component: Component) -> None:
    component.kill()
    component.start()


def _etcd(data: Path, binaries: Path) -> Component:
    client, peer = "unix://etcd.sock", "unix://peer.sock"
    return Component(
        data / "etcd.log",
        binaries / "etcd",
        f"--data-dir={data}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync=true",
    )


def _api_server(data: Path, binaries: Path, port: int, token: str, *, service_accounts: bool) -> Component:
    tokens = data / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{token},admin,admin,system:masters\n")
    # The API server makes its serving key in --cert-dir before it reads the key that signs service account tokens: one
    # key for both spares this package the making of another.
    key = data / "certs" / "apiserver.key"
    return Component(
        data / "kube-apiserver.log",
        binaries / "kube-apiserver",
        "--etcd-servers=unix://etcd.sock",
        f"--bind-address={_HOST}",
        f"--secure-port={port}",
        "--permit-port-sharing=true",
        f"--cert-dir={data}/certs",
        "--endpoint-reconciler-type=none",  # the others refuse a loopback address
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        # Without a controller manager no namespace has the service account that this admission plugin asks for.
        *([] if service_accounts else ["--disable-admission-plugins=ServiceAccount"]),
        *shlex.split(os.environ.get(API_SERVER_FLAGS, "")),
    )


def _controller_manager(data: Path, cluster: Cluster) -> Component:
    assert cluster.bin
    return Component(
        data / "kube-controller-manager.log",
        cluster.bin / "kube-controller-manager",
        f"--kubeconfig={cluster.kubeconfig}",
        f"--service-account-private-key-file={data}/certs/apiserver.key",
        f"--root-ca-file={data}/certs/apiserver.crt",
        "--leader-elect=false",
        "--secure-port=0",
    )


def _start(stack: ExitStack, component: Component, ready: Callable[[], bool]) -> None:
    def ready_or_ended() -> bool:
        component.check()
        return ready()

    stack.callback(component.kill)
    component.start()
    try:
        wait_until(ready_or_ended, seconds=_START_SECONDS, what=f"{component.name} to be ready")
    except StartFailed as error:
        raise StartFailed(f"{error}\n{component.tail()}") from error


@contextmanager
def _empty(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)  # what a supervisor that was killed has left
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A free port that stays ours: bound, never listened on, so that only a socket which asks to share gets it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((_HOST, 0))
        yield held.getsockname()[1]


def _ready(port: int, certificate: Path) -> bool:
    """The API server's certificate, self-signed at its first start, is also the authority it is checked by."""
    try:
        trust = ssl.create_default_context(cafile=certificate)
        connection = http.client.HTTPSConnection(_HOST, port, timeout=2, context=trust)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
