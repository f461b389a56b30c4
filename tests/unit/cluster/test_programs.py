"""What a cluster with pods is made of: programs, Debian packages, a Docker daemon, kind."""

import json
from pathlib import Path

import pytest

from tests.cluster import build, debian, docker, kind
from tests.cluster.errors import Unavailable
from tests.cluster.programs import PROGRAMS, Published


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def fake_go(folder: Path, sum_: str) -> Path:
    answer = json.dumps({"Dir": str(folder), "Sum": sum_})
    return program(folder / "go", "go", f'[ "$1" = mod ] && echo \'{answer}\' || echo built by "$@" in "$PWD"')


MODULE = Published("example.com/tool", "v1.2.3", "h1:right")


def test_a_published_module_is_held_against_its_hash(tmp_path: Path) -> None:
    assert build.module_folder(fake_go(tmp_path, "h1:right"), MODULE) == tmp_path
    with pytest.raises(Unavailable, match=r"example\.com/tool@v1\.2\.3 is not what was published: .* h1:wrong"):
        build.module_folder(fake_go(tmp_path, "h1:wrong"), MODULE)


def test_every_published_module_is_pinned_by_version_and_hash() -> None:
    published = [program.module for program in PROGRAMS.values() if isinstance(program.module, Published)]
    assert published
    assert all(module.version.startswith("v") and module.sum.startswith("h1:") for module in published)


class TestDebianPackages:
    def test_nothing_happens_where_the_programs_are(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(tmp_path, "tool", "exit 1")
        monkeypatch.setenv("PATH", str(tmp_path))
        debian.need("tool", packages=["tool-package"])

    def test_missing_ones_are_named_with_the_way_to_get_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("EXECLOOP_APT", raising=False)
        with pytest.raises(Unavailable, match="a and b missing: install p q, or set EXECLOOP_APT=1 to have it done"):
            debian.need("a", "b", packages=["p", "q"])

    def test_they_are_installed_only_where_that_is_allowed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program(tmp_path, "apt-get", f'echo "$@" >> {tmp_path}/calls')
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("EXECLOOP_APT", "1")
        monkeypatch.setattr("os.geteuid", lambda: 0)
        debian.need("tool", packages=["tool-package"])
        calls = (tmp_path / "calls").read_text().splitlines()
        assert [call.split()[0] for call in calls] == ["update", "install"]
        assert calls[1].endswith(" tool-package")

    def test_a_failure_is_told_in_its_own_words(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(tmp_path, "apt-get", 'echo "E: no such package" >&2; exit 100')
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("EXECLOOP_APT", "1")
        monkeypatch.setattr("os.geteuid", lambda: 0)
        with pytest.raises(Unavailable, match="apt-get update: E: no such package"):
            debian.need("tool", packages=["tool-package"])


class TestDaemon:
    def test_one_that_answers_is_used_and_left_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(tmp_path, "docker", f'echo "$1" >> {tmp_path}/calls')
        monkeypatch.setenv("PATH", str(tmp_path))
        with docker.daemon():
            pass
        assert (tmp_path / "calls").read_text().split() == ["info"]

    def test_only_root_starts_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        with pytest.raises(Unavailable, match="no Docker daemon answers, and only root can start one"), docker.daemon():
            pass

    def test_one_that_does_not_start_is_told_with_the_end_of_its_log_and_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("docker", "iptables", "jq"):
            program(tmp_path, name, "exit 1")
        program(tmp_path, "dockerd", 'echo "no space left" >&2; exit 1')
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr("os.geteuid", lambda: 0)
        with pytest.raises(Unavailable, match="ended with status 1: no space left"), docker.daemon():
            pass


@pytest.mark.parametrize(("bounded", "gate"), [(False, False), (True, True)])
def test_the_kubelet_does_without_what_the_machine_withholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounded: bool, gate: bool
) -> None:
    program(tmp_path, "kind", "echo no >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(kind, "bounded", lambda: bounded)
    with (
        pytest.raises(Unavailable, match="kind cannot start own/node:1: no"),
        kind.created("a", "own/node:1", tmp_path),
    ):
        pass
    assert ("KubeletInUserNamespace" in (tmp_path / "kind.yaml").read_text()) is gate
