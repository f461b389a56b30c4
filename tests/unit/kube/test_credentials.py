"""Credentials that are read again: rotated token files and plugins."""

import base64
import json
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from execloop.kube import ConfigurationError
from execloop.kube.config.credentials import Credential, Credentials, RenewableCredentials, token_file
from execloop.kube.config.discover import discover


class Source:
    """Gives a new token each time, good for `seconds`."""

    def __init__(self, seconds: float | None = 60.0) -> None:
        self.now = 0.0
        self.asked = 0
        self.seconds = seconds
        self.broken = False
        self.credentials = RenewableCredentials(self, clock=lambda: self.now)

    def __call__(self) -> Credential:
        self.asked += 1
        if self.broken:
            raise ConfigurationError("broken")
        return Credential(f"Bearer {self.asked}", expires_at=None if self.seconds is None else self.now + self.seconds)


def test_an_answer_is_kept_until_it_expires() -> None:
    source = Source()
    first = source.credentials.renew(None)
    source.now = 59.9
    assert source.credentials.fresh() is first
    source.now = 60.0
    assert source.credentials.fresh() is None
    assert source.credentials.renew(None).authorization == "Bearer 2"


def test_an_answer_that_names_no_expiry_is_kept_until_it_is_rejected() -> None:
    source = Source(seconds=None)
    first = source.credentials.renew(None)
    source.now = 1e9
    assert source.credentials.fresh() is first
    assert source.credentials.renew(first).authorization == "Bearer 2"


def test_many_requests_rejected_at_once_ask_once() -> None:
    source = Source()
    first = source.credentials.renew(None)
    assert {source.credentials.renew(first).authorization for _ in range(10)} == {"Bearer 2"}
    assert source.asked == 2


def test_the_old_answer_serves_while_no_new_one_is_to_be_had() -> None:
    source = Source()
    first = source.credentials.renew(None)
    source.now, source.broken = 100.0, True
    assert source.credentials.renew(None) is first


def test_without_an_old_answer_the_error_is_told() -> None:
    source = Source()
    source.broken = True
    with pytest.raises(ConfigurationError, match="broken"):
        source.credentials.renew(None)


def test_a_token_file_is_read_again_each_minute(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    path.write_text("first\n")
    credentials = token_file(path, clock=lambda: now)
    assert credentials.renew(None).authorization == "Bearer first"
    path.write_text("second\n")
    now = 59.0
    known = credentials.fresh()
    assert known is not None
    assert known.authorization == "Bearer first"
    now = 60.0
    assert credentials.fresh() is None
    assert credentials.renew(None).authorization == "Bearer second"


# --- plugins


def with_user(folder: Path, user: dict[str, Any]) -> Credentials:
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api.example"}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(json.dumps(content))
    return discover(path, environ={}).credentials


def plugin(folder: Path, program: str, **settings: Any) -> Credentials:
    """A user whose plugin is a Python program beside the kubeconfig."""
    path = folder / "plugin"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\n{program}\n")
    path.chmod(stat.S_IRWXU)
    version = "client.authentication.k8s.io/v1"
    return with_user(folder, {"exec": {"apiVersion": version, "command": "./plugin", **settings}})


ANSWER = "print(json.dumps({'apiVersion': json.loads(os.environ['KUBERNETES_EXEC_INFO'])['apiVersion'],"
ANSWER += " 'kind': 'ExecCredential', 'status': %s}))"


def test_a_plugin_gives_a_token_and_says_how_long_it_is_good(tmp_path: Path) -> None:
    expiry = datetime.now(UTC) + timedelta(hours=1)
    status = f"{{'token': sys.argv[1] + os.environ['B'], 'expirationTimestamp': '{expiry:%Y-%m-%dT%H:%M:%SZ}'}}"
    credentials = plugin(tmp_path, ANSWER % status, args=["a"], env=[{"name": "B", "value": "b"}])
    assert credentials.fresh() is None
    credential = credentials.renew(None)
    assert credential.authorization == "Bearer ab"
    assert credential.expires_at == expiry.replace(microsecond=0).timestamp() - 60
    assert credentials.fresh() is credential


def test_a_plugin_gives_a_certificate(tmp_path: Path) -> None:
    status = "{'clientCertificateData': 'CERT', 'clientKeyData': 'KEY'}"
    credential = plugin(tmp_path, ANSWER % status).renew(None)
    assert credential.authorization is None
    assert credential.certificate is not None
    assert (credential.certificate.certificate, credential.certificate.key) == ("CERT", "KEY")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("sys.exit('please log in')", "exec: process returned 1. please log in"),
        ("print('rubbish')", "exec: failed to decode process output"),
        (ANSWER % "{}", "the plugin answered with neither a token nor a certificate and its key"),
    ],
)
def test_a_plugin_that_fails_is_named(tmp_path: Path, program: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        plugin(tmp_path, program).renew(None)
    assert str(refused.value).startswith(f"{tmp_path}/config: users[u].user.exec: {message}")
    assert "\n" not in str(refused.value)


def test_a_plugin_that_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    credentials = plugin(tmp_path, "", command="no-such-plugin", installHint="Get it\nfrom example.com.")
    with pytest.raises(ConfigurationError, match=r"exec: no-such-plugin: No such file .*; Get it from example\.com\."):
        credentials.renew(None)


def id_token(expiry: float) -> str:
    parts = ({"alg": "none"}, {"exp": expiry})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), "sig"])


def test_an_auth_provider_gives_its_token(tmp_path: Path) -> None:
    token = id_token((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    assert with_user(tmp_path, user).renew(None).authorization == f"Bearer {token}"


def test_an_auth_provider_that_the_official_client_does_not_know_is_named(tmp_path: Path) -> None:
    credentials = with_user(tmp_path, {"auth-provider": {"name": "azure"}})
    with pytest.raises(ConfigurationError, match=r"users\[u\]\.user\.auth-provider: it gave no token"):
        credentials.renew(None)
