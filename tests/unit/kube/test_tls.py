"""TLS against a server that demands certificates."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from execloop.kube import ApiError, Cluster, Connection, api_client
from execloop.kube.config.credentials import ClientCertificate, Credential, RenewableCredentials, StaticCredentials
from tests.asynchronous import in_event_loop


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path

    def shown(self) -> Credential:
        return Credential(certificate=ClientCertificate(self.certificate.read_text(), self.key.read_text()))


def make(folder: Path, name: str, alternative: str) -> Pair:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on the PATH: no certificate can be made")
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(pair.key), "-out", str(pair.certificate)]
    subprocess.run([*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}", *files], check=True)
    return pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def server_pair(folder: Path) -> Pair:
    return make(folder, "server", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def named_pair(folder: Path) -> Pair:
    return make(folder, "named", "DNS:kubernetes")


@pytest.fixture(scope="module")
def client_pair(folder: Path) -> Pair:
    return make(folder, "client", "DNS:client")


@asynccontextmanager
async def serving(pair: Pair, client: Pair | None = None) -> AsyncIterator[str]:
    """Answers with the common name of the client's certificate."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        shown = request.transport.get_extra_info("peercert") or {"subject": ((("commonName", "nobody"),),)}
        return web.json_response({"kind": dict(entry[0] for entry in shown["subject"])["commonName"]})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    if client is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client.certificate)
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(cluster: Cluster) -> str:
    connection = Connection(cluster)
    try:
        return str((await connection.request("GET", "/version"))["kind"])
    finally:
        await connection.close()


@in_event_loop
async def test_the_clients_certificate_is_shown(server_pair: Pair, client_pair: Pair) -> None:
    async with serving(server_pair, client_pair) as server:
        credentials = StaticCredentials(client_pair.shown())
        assert await ask(Cluster(server, credentials, server_pair.certificate.read_text())) == "client"


@in_event_loop
async def test_a_certificate_that_comes_later_is_shown_too(server_pair: Pair, client_pair: Pair) -> None:
    async with serving(server_pair, client_pair) as server:
        credentials = RenewableCredentials(client_pair.shown)
        assert await ask(Cluster(server, credentials, server_pair.certificate.read_text())) == "client"


@in_event_loop
async def test_the_official_client_shows_it_as_well(server_pair: Pair, client_pair: Pair) -> None:
    async with serving(server_pair, client_pair) as server:
        credentials = StaticCredentials(client_pair.shown())
        official = api_client(Connection(Cluster(server, credentials, server_pair.certificate.read_text())))
        answer = await asyncio.to_thread(official.rest_client.request, "GET", f"{server}/version")
        assert answer.read() == b'{"kind": "client"}'
        official.close()
        official.rest_client.close()


@in_event_loop
async def test_an_unknown_authority_is_refused(server_pair: Pair, client_pair: Pair) -> None:
    async with serving(server_pair) as server:
        with pytest.raises(ApiError, match=f"GET /version: Unreachable: {server}: .*certificate verify failed"):
            await ask(Cluster(server, StaticCredentials(), client_pair.certificate.read_text()))


@in_event_loop
async def test_the_certificate_must_have_the_hosts_name_or_the_one_that_is_said(named_pair: Pair) -> None:
    authority = named_pair.certificate.read_text()
    async with serving(named_pair) as server:
        with pytest.raises(ApiError, match="certificate verify failed: IP address mismatch"):
            await ask(Cluster(server, StaticCredentials(), authority))
        assert await ask(Cluster(server, StaticCredentials(), authority, server_name="kubernetes")) == "nobody"


@in_event_loop
async def test_an_insecure_connection_verifies_nothing(named_pair: Pair) -> None:
    async with serving(named_pair) as server:
        assert await ask(Cluster(server, StaticCredentials(), insecure=True)) == "nobody"
