"""Where a cluster is said to be, and every way to say it wrongly."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from execloop.kube import Cluster, ConfigurationError, NoCluster
from execloop.kube.config.credentials import Credential
from execloop.kube.config.discover import discover

SERVER = "https://api.example:6443"


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on the PATH: no certificate can be made")
    folder = tmp_path_factory.mktemp("pki")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*new, "-subj", "/CN=test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def kubeconfig(folder: Path, name: str = "config", **changes: Any) -> Path:
    """One with a token; `cluster`, `user` and `context` replace those mappings, other names whole fields."""
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": changes.pop("context", {"cluster": "c", "user": "u"})}],
        "clusters": [{"name": "c", "cluster": changes.pop("cluster", {"server": SERVER})}],
        "users": [{"name": "u", "user": changes.pop("user", {"token": "t0ken"})}],
        **changes,
    }
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def load(path: Path, context: str | None = None, **environ: str) -> Cluster:
    return discover(path, context, environ=environ)


def shown(cluster: Cluster) -> Credential:
    return cluster.credentials.fresh() or cluster.credentials.renew(None)


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


# --- what is read


def test_a_token(tmp_path: Path) -> None:
    cluster = load(kubeconfig(tmp_path))
    assert (cluster.server, cluster.ca, cluster.insecure) == (SERVER, None, False)
    assert shown(cluster).authorization == "Bearer t0ken"


def test_a_token_file_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    assert shown(load(kubeconfig(tmp_path, user={"tokenFile": "token"}))).authorization == "Bearer from-file"


def test_a_user_with_a_password(tmp_path: Path) -> None:
    cluster = load(kubeconfig(tmp_path, user={"username": "a", "password": "b"}))
    assert shown(cluster).authorization == "Basic YTpi"


def test_nobody(tmp_path: Path) -> None:
    assert shown(load(kubeconfig(tmp_path, context={"cluster": "c"}))) == Credential()


def test_certificates_as_data_and_as_files(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    inline = kubeconfig(
        tmp_path,
        "inline",
        cluster={"server": SERVER, "certificate-authority-data": encoded(certificate)},
        user={"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)},
    )
    files = kubeconfig(
        tmp_path,
        "files",
        cluster={"server": SERVER, "certificate-authority": str(certificate)},
        user={"client-certificate": str(certificate), "client-key": str(key)},
    )
    for path in (inline, files):
        cluster = load(path)
        assert cluster.ca == certificate.read_text()
        client = shown(cluster).certificate
        assert client is not None
        assert (client.certificate, client.key) == (certificate.read_text(), key.read_text())


def test_the_settings_of_the_connection(tmp_path: Path) -> None:
    settings = {
        "server": f"{SERVER}/",
        "insecure-skip-tls-verify": True,
        "tls-server-name": "kubernetes",
        "proxy-url": "http://proxy.example:3128",
    }
    path = kubeconfig(tmp_path, cluster=settings, context={"cluster": "c", "user": "u", "namespace": "team"})
    cluster = load(path, HTTPS_PROXY="http://other.example:3128")
    assert (cluster.server, cluster.insecure, cluster.server_name) == (SERVER, True, "kubernetes")
    assert (cluster.proxy, cluster.namespace) == ("http://proxy.example:3128", "team")


def test_the_environments_proxy(tmp_path: Path) -> None:
    cluster = load(kubeconfig(tmp_path), HTTPS_PROXY="http://other.example:3128")
    assert cluster.proxy == "http://other.example:3128"


def test_another_context_than_the_current_one(tmp_path: Path) -> None:
    contexts = [
        {"name": "here", "context": {"cluster": "c", "user": "u"}},
        {"name": "there", "context": {"cluster": "c", "user": "u", "namespace": "there"}},
    ]
    assert load(kubeconfig(tmp_path, contexts=contexts), "there").namespace == "there"


def test_several_files_count_as_one(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "token").write_text("of-the-second")
    first = kubeconfig(tmp_path, "first", users=[])
    second = kubeconfig(tmp_path / "sub", "second", user={"tokenFile": "token"}, **{"current-context": "no"})
    cluster = discover(environ={"KUBECONFIG": f"{first}:{tmp_path / 'none'}:{second}"})
    assert shown(cluster).authorization == "Bearer of-the-second"


# --- where it is looked for


@pytest.fixture
def account(tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    """What a pod finds of its service account."""
    folder = tmp_path / "account"
    folder.mkdir()
    for name, content in {"token": "pod", "namespace": "operators", "ca.crt": pair[0].read_text()}.items():
        (folder / name).write_text(content)
    return folder


IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_the_order_is_explicit_then_kubeconfig_then_pod_then_home(tmp_path: Path, account: Path) -> None:
    (tmp_path / ".kube").mkdir()
    explicit = kubeconfig(tmp_path, "explicit", user={"token": "explicit"})
    variable = kubeconfig(tmp_path, "variable", user={"token": "variable"})
    kubeconfig(tmp_path / ".kube", user={"token": "home"})

    environ = {"HOME": str(tmp_path), "KUBECONFIG": str(variable), **IN_A_POD}
    found = [discover(explicit, environ=environ, service_account=account)]
    found.append(discover(environ=environ, service_account=account))
    del environ["KUBECONFIG"]
    found.append(discover(environ=environ, service_account=account))
    del environ["KUBERNETES_SERVICE_HOST"]
    found.append(discover(environ=environ, service_account=account))

    tokens = [shown(cluster).authorization for cluster in found]
    assert tokens == ["Bearer explicit", "Bearer variable", "Bearer pod", "Bearer home"]


def test_a_context_is_looked_for_in_kubeconfigs_only(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube", user={"token": "home"})
    cluster = discover(context="here", environ={"HOME": str(tmp_path), **IN_A_POD})
    assert shown(cluster).authorization == "Bearer home"


def test_a_pod_knows_its_server_its_authority_and_its_namespace(account: Path) -> None:
    cluster = discover(environ=IN_A_POD, service_account=account)
    assert (cluster.server, cluster.namespace) == ("https://10.96.0.1:443", "operators")
    assert cluster.ca == (account / "ca.crt").read_text()


def test_a_pod_of_an_ipv6_cluster(account: Path) -> None:
    environ = {**IN_A_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert discover(environ=environ, service_account=account).server == "https://[fd00::1]:443"


def test_a_pod_whose_authority_is_no_certificate(account: Path) -> None:
    (account / "ca.crt").write_text("hello")
    with pytest.raises(ConfigurationError, match=r"ca\.crt holds no certificate in PEM"):
        discover(environ=IN_A_POD, service_account=account)


def test_nowhere(tmp_path: Path) -> None:
    with pytest.raises(NoCluster) as none:
        discover(environ={"HOME": str(tmp_path)})
    assert str(none.value) == (
        "no cluster: no kubeconfig was given, KUBECONFIG is not set, this is not a pod, and there is no"
        f" {tmp_path}/.kube/config"
    )


def test_a_pod_without_a_service_account(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="automountServiceAccountToken"):
        discover(environ=IN_A_POD, service_account=tmp_path)


# --- what is refused: one line that names the file and the field


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"current-context": None}, "current-context is not set; contexts: here"),
        ({"current-context": "gone"}, "contexts has no 'gone'; contexts: here"),
        ({"contexts": {}}, "contexts has no 'here'; contexts: none"),
        ({"contexts": "x"}, "contexts must be a list of mappings that each have a name"),
        ({"contexts": [{"name": "here"}]}, "contexts[here].context must be a mapping"),
        ({"context": {"user": "u"}}, "contexts[here].context.cluster is missing"),
        ({"context": {"cluster": "x", "user": "u"}}, "clusters has no 'x'; clusters: c"),
        ({"context": {"cluster": "c", "user": "x"}}, "users has no 'x'; users: u"),
        ({"cluster": {}}, "clusters[c].cluster.server is missing"),
        ({"cluster": {"server": 1}}, "clusters[c].cluster.server must be text"),
        ({"cluster": {"server": "api.example"}}, "clusters[c].cluster.server must begin with https:// or http://"),
        (
            {"cluster": {"server": SERVER, "insecure-skip-tls-verify": "yes"}},
            "clusters[c].cluster.insecure-skip-tls-verify must be true or false",
        ),
        (
            {"cluster": {"server": SERVER, "certificate-authority-data": "no base64"}},
            "clusters[c].cluster.certificate-authority-data is not PEM in base64",
        ),
        (
            {"cluster": {"server": SERVER, "certificate-authority-data": "aGVsbG8="}},
            "clusters[c].cluster.certificate-authority holds no certificate in PEM",
        ),
        ({"user": {"token": ["s3cret"]}}, "users[u].user.token must be text"),
        (
            {"user": {"client-certificate-data": "aGVsbG8="}},
            "users[u].user.client-key is missing beside its other half",
        ),
        (
            {"user": {"client-certificate-data": "aGVsbG8=", "client-key-data": "aGVsbG8="}},
            "users[u].user.client-certificate and client-key do not match",
        ),
        ({"user": {"exec": {"apiVersion": "v1"}}}, "users[u].user.exec.command is missing"),
        ({"user": {"exec": "aws"}}, "users[u].user.exec must be a mapping"),
        (
            {"user": {"token": "s3cret", "as": "admin"}},
            "users[u].user.as is not supported: use a user that needs no impersonation",
        ),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = kubeconfig(tmp_path, **changes)
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert str(refused.value) in {f"{path}: {message}", f"{path}.{message}"}


@pytest.mark.parametrize("field", ["certificate-authority", "tokenFile"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, field: str) -> None:
    path = kubeconfig(tmp_path, cluster={"server": SERVER, field: "gone"}, user={field: "gone"})
    with pytest.raises(ConfigurationError, match=rf"{tmp_path}/gone.*: No such file or directory"):
        load(path)


def test_an_empty_token_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    with pytest.raises(ConfigurationError, match=f"the token file {tmp_path}/token is empty"):
        load(kubeconfig(tmp_path, user={"tokenFile": "token"}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [s3cret", "not YAML: line 1: "),
        ("s3cret: a: b", "not YAML: line 1: mapping values are not allowed here"),
        ("- s3cret", "not a kubeconfig: it must be a mapping with clusters, users and contexts"),
        ("", "not a kubeconfig"),
        ("\x00s3cret", "not YAML: "),
    ],
)
def test_what_is_no_kubeconfig_is_said_so_without_its_content(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: {message}")
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"^{tmp_path}/none: No such file or directory$"):
        load(tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: none of .* exists"):
        discover(environ={"KUBECONFIG": f"{tmp_path}/none:{tmp_path}/neither"})


def test_a_users_secrets_are_not_in_its_representation(tmp_path: Path) -> None:
    assert "t0ken" not in repr(load(kubeconfig(tmp_path)))
