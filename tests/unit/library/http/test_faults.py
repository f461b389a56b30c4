"""A server that misbehaves, and addresses that are out of bounds."""

import asyncio
import ipaddress
import re
import shutil
import socket
import ssl
import subprocess
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execloop import Context
from execloop._plans.limits import Limits
from execloop.library.addresses import Addresses, ForbiddenAddress
from execloop.library.http import Http, Parameters, client
from execloop.library.http.body import LARGEST, decoded
from execloop.library.http.errors import BadAnswer
from execloop.library.http.pace import Pace
from execloop.testing import converge
from tests.asynchronous import in_event_loop
from tests.unit.library.http.api import BOMB, Api, Fault, answers, resets, sends, serving, sleeps, stops_early

SECRET = "s3cret-horse"
HERE = Limits((), ("127.0.0.1",))


def make(url: str, limits: Limits = HERE, /, **given: Any) -> Http:
    context = replace(Context("team"), limits=limits)
    return Http(Parameters.model_validate({"url": f"{url}/teams/blue", "expect": {"size": 3}, **given}), context)


def failure(plan: Http) -> str:
    with pytest.raises(Exception) as caught:
        converge(plan, within=1, errors_to_tolerate=0)
    return f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (sleeps, "it waits: GET http.*/teams/blue: the server did not answer in time"),
        (resets, r"it waits: GET .*: the server broke the connection \(ServerDisconnectedError\)"),
        (stops_early, r"it waits: GET .*: the server broke the connection \(ClientPayloadError\)"),
        (answers(503), "it waits: GET .* was answered with 503"),
        (answers(502), "it waits: GET .* was answered with 502"),
        (answers(429, Retry_After="120"), "it waits: GET .* was answered with 429"),
        (answers(500, {"message": f"no {SECRET}"}), "GET .*/teams/blue was answered with 500: no …"),
        (answers(401, {"error": {"message": "who?"}}), r"was answered with 401: who\?"),
        (sends(b"<html>"), "the answer is not JSON"),
        (sends(b'{"size": NaN}'), "the answer is not JSON"),
        (sends(b"[" * 5000), "the answer is not JSON"),
        (sends(b"[" * 200 + b"]" * 200), "over 100 levels"),
        (sends(b" " * 5_000_000), "over 4 MiB"),
        (sends(BOMB, Content_Encoding="gzip"), "over 4 MiB"),
        (sends(BOMB[:1000], Content_Encoding="gzip"), "compressed, and incomplete"),
        (sends(b"no gzip", Content_Encoding="gzip"), "compressed, and damaged"),
        (sends(b"{}", Content_Encoding="br"), "Content-Encoding is not known"),
        (
            answers(302, Location="http://169.254.169.254/latest/meta-data"),
            "is an internal address: have an administrator",
        ),
        (answers(302, Location="file:///etc/passwd"), "the answer refers to something that is not a URL"),
        (answers(302, Location="/teams/blue"), "over 5 redirects"),
        (answers(302, Location="http://[::"), "refers to something that is not a URL"),
        (answers(302, Location="mailto:ada@example.com"), "refers to something that is not a URL"),
        (answers(302), "over 5 redirects"),
    ],
)
def test_a_fault_is_one_line_that_names_the_request(api: Api, fault: Fault, says: str) -> None:
    api.faults = [fault] * 9
    said = failure(make(api.url, token=SECRET, timeout="300ms"))
    assert re.search(says, said), said
    assert "horse" not in said
    assert "\n\n" not in said


def test_of_a_small_answer_that_decodes_to_a_large_one_no_more_than_the_bound_is_decoded() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadAnswer, match="over 4 MiB"):
            decoded(BOMB, "gzip", "GET")
        assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST
    finally:
        tracemalloc.stop()


def test_a_credential_follows_no_redirect_to_another_server(api: Api) -> None:
    with serving() as other:
        other.objects["/teams/blue"] = {"size": 3}
        api.faults = [answers(307, Location=f"{other.url}/teams/blue")]
        converge(make(api.url, token=SECRET, headers={"X-Key": SECRET}))
        assert api.headers[0]["Authorization"] == f"Bearer {SECRET}"
        assert SECRET not in str(other.headers)


def test_a_change_follows_no_redirect(api: Api) -> None:
    api.faults = [None, None, answers(307, Location="/teams/red")]
    assert "use the URL that it leads to" in failure(make(api.url))
    assert api.objects == {}


def test_an_answer_that_asks_to_wait_is_kept_by_the_next_run_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(client, "pace", Pace(lambda: now[0]))
    api.faults = [answers(429, Retry_After="7")]
    assert "was answered with 429" in failure(make(api.url))
    assert "asked to wait" in failure(make(api.url))
    assert len(api.asked) == 1
    now[0] = 7.5
    converge(make(api.url))
    assert len(api.asked) == 5


def test_a_limit_that_is_used_up_is_kept(api: Api) -> None:
    reset = str(int(time.time()) + 60)
    api.objects["/teams/blue"] = {"size": 3}
    api.faults = [answers(body={"size": 3}, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)]
    converge(make(api.url))
    assert "asked to wait" in failure(make(api.url))
    converge(make(api.url, token="another"))


# -- who asks


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({"username": "ada", "password": "x:y"}, "Basic YWRhOng6eQ=="),
        ({"token": f"{SECRET}\n"}, f"Bearer {SECRET}"),
        ({}, None),
    ],
)
def test_credentials_are_sent(api: Api, given: dict[str, str], header: str | None) -> None:
    converge(make(api.url, **given))
    assert {each.get("Authorization") for each in api.headers} == {header}


def oauth2(url: str, secret: str = SECRET) -> dict[str, Any]:
    return {"oauth2": {"tokenUrl": f"{url}/token", "scope": "teams"}, "clientId": "me", "clientSecret": secret}


def test_a_token_is_granted_once_and_again_when_it_is_refused(api: Api) -> None:
    with serving() as issuer:
        granted = [answers(body={"access_token": name, "expires_in": 3600}) for name in ("one-token", "two-token")]
        issuer.faults = list(granted)
        converge(make(api.url, **oauth2(issuer.url)))
        assert {each["Authorization"] for each in api.headers} == {"Bearer one-token"}
        assert issuer.bodies == [b"grant_type=client_credentials&scope=teams"]

        api.faults = [answers(401)]
        converge(make(api.url, **oauth2(issuer.url)))
        assert [each["Authorization"] for each in api.headers[-2:]] == ["Bearer one-token", "Bearer two-token"]
        assert len(issuer.asked) == 2


def test_a_changed_secret_is_used_at_once(api: Api) -> None:
    with serving() as issuer:
        issuer.faults = [answers(body={"access_token": "old-token"}), answers(body={"access_token": "new-token"})]
        converge(make(api.url, **oauth2(issuer.url, "old-secret")))
        converge(make(api.url, **oauth2(issuer.url, "new-secret")))
        assert api.headers[-1]["Authorization"] == "Bearer new-token"


def test_no_message_has_a_token_that_was_granted(api: Api) -> None:
    with serving() as issuer:
        issuer.faults = [answers(body={"access_token": "granted-horse"})]
        api.faults = [answers(400, {"message": "the token granted-horse is wrong"})]
        assert "horse" not in failure(make(api.url, **oauth2(issuer.url, "third-secret")))


def test_a_secret_in_a_url_or_a_body_reaches_the_server_and_no_message(api: Api) -> None:
    api.faults = [None, None, answers(400, {"detail": f"bad {SECRET}"})]
    given = {"values": {"key": SECRET}, "expect": {"key": "${key}"}, "headers": {"X-Key": "${key}"}}
    plan = make(f"{api.url}/${{key}}", **given)
    said = failure(plan)
    assert "/${key}/teams/blue was answered with 400: bad …" in said
    assert "horse" not in said
    assert api.bodies[-1] == f'{{"key": "{SECRET}"}}'.encode()
    assert api.headers[-1]["X-Key"] == SECRET


# -- TLS


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on the PATH: no certificate can be made")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "c.pem", folder / "k.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
            *["-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_a_certificate_that_no_authority_signed_is_refused_and_its_own_makes_it_known(pair: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    with serving(context) as api:
        assert "the server's certificate: self-signed certificate" in failure(make(api.url))
        converge(make(api.url, ca=pair[0].read_text()))


def test_a_client_shows_its_certificate(pair: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pair[0]))
    context.load_cert_chain(*pair)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = (path.read_text() for path in pair)
    with serving(context) as api:
        converge(make(api.url, **{"ca.crt": certificate, "tls.crt": certificate, "tls.key": key}))
        assert "GET" in failure(make(api.url, ca=certificate))


# -- addresses


@pytest.mark.parametrize(
    ("address", "allowed", "permitted"),
    [
        ("93.184.216.34", (), True),
        ("2606:2800:220:1::1", (), True),
        ("10.0.0.1", (), False),
        ("100.64.1.1", (), False),
        ("127.0.0.1", (), False),
        ("169.254.169.254", (), False),
        ("0.0.0.0", (), False),
        ("224.0.0.1", (), False),
        ("::1", (), False),
        ("fe80::1", (), False),
        ("fd00::1", (), False),
        ("::ffff:10.0.0.1", (), False),
        ("64:ff9b::a00:1", (), False),
        ("2002:a00:1::", (), False),
        ("10.0.0.1", ("10.0.0.0/8",), True),
        ("::ffff:10.0.0.1", ("10.0.0.0/8",), True),
        ("10.0.0.1", ("api.example",), True),
        ("10.0.0.1", ("*.example",), True),
        ("10.0.0.1", ("*.other",), False),
        ("127.0.0.1", ("*.example",), False),
        ("169.254.169.254", ("*",), False),
        ("169.254.169.254", ("169.254.169.254",), True),
        ("10.96.0.1", ("*",), False),
        ("10.96.0.1", ("10.96.0.1",), True),
    ],
)
def test_internal_addresses_are_allowed_by_network_and_private_ones_by_name(
    monkeypatch: pytest.MonkeyPatch, address: str, allowed: tuple[str, ...], permitted: bool
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    assert Addresses(allowed).permits("api.example", ipaddress.ip_address(address)) is permitted


def test_by_default_the_server_of_this_test_may_not_be_asked(api: Api) -> None:
    assert "is an internal address" in failure(make(api.url, Limits()))
    assert "has an internal address" in failure(make(api.url.replace("127.0.0.1", "localhost"), Limits()))
    assert api.asked == []


def test_a_name_is_resolved_once_for_a_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server answers with an allowed address first, and with a forbidden one from then on."""
    asked: list[str] = []
    port = int(api.url.rpartition(":")[2])

    async def getaddrinfo(_loop: object, host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    api.objects["/teams/blue"] = {"size": 3}
    converge(make(f"http://rebinding.example:{port}"))
    assert asked == ["rebinding.example"]
    assert "has an internal address" in failure(make(f"http://rebinding.example:{port}"))


@in_event_loop
async def test_other_ways_to_write_an_address_are_the_same_address() -> None:
    for host in ("127.1", "2130706433", "0x7f.1", "localhost"):
        with pytest.raises((ForbiddenAddress, OSError)):
            await Addresses(()).resolve(host, 80)
