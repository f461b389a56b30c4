"""The docker command, and a daemon for it where none answers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import debian
from tests.cluster.binaries import cache
from tests.cluster.cluster import wait_until
from tests.cluster.component import Component
from tests.cluster.errors import StartFailed, Unavailable

_ANSWER_SECONDS = 10
_START_SECONDS = 60
_END_SECONDS = 30
_SYS_RESOURCE = 24
_RUNC_WITHOUT_SYS_RESOURCE = Path(__file__).parent / "node" / "runc-without-sys-resource"


def docker(*arguments: str, stdin: Path | None = None, seconds: float = 600) -> str:
    """What it printed. Raises Unavailable with the last line of what it complained."""
    # The builder that every daemon has; the other one is a plugin that may not be there.
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    with (stdin or Path(os.devnull)).open("rb") as file:
        try:
            done = subprocess.run(
                ["docker", *arguments],
                stdin=file,
                env=environment,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable("docker is not on the PATH") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"docker {arguments[0]} took longer than {seconds:g} s") from None
    if done.returncode:
        complaint = done.stderr.strip() or done.stdout.strip()
        raise Unavailable(f"docker {arguments[0]}: {complaint.rpartition(chr(10))[2]}")
    return done.stdout.strip()


def has_image(name: str) -> bool:
    try:
        docker("image", "inspect", name, seconds=_ANSWER_SECONDS)
    except Unavailable:
        return False
    return True


def answers() -> bool:
    try:
        docker("info", seconds=_ANSWER_SECONDS)
    except Unavailable:
        return False
    return True


@contextmanager
def daemon() -> Iterator[None]:
    """The one that answers, else one of our own, which ends with the context; its images stay in the cache."""
    if answers():
        yield
        return
    if os.geteuid():
        raise Unavailable("no Docker daemon answers, and only root can start one")
    debian.need("dockerd", "iptables", packages=["docker.io", "iptables", "iproute2"])
    folder = cache() / "dockerd"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    log.unlink(missing_ok=True)
    program = Path(shutil.which("dockerd") or "dockerd")
    own = Component(log, program, f"--data-root={folder}/data", f"--pidfile={folder}/pid", *_runtime())

    def answers_or_ended() -> bool:
        own.check()
        return answers()

    sys.stderr.write("no Docker daemon answers: starting one\n")
    own.start()
    try:
        try:
            wait_until(answers_or_ended, seconds=_START_SECONDS, what="the Docker daemon")
        except StartFailed as error:
            raise Unavailable(f"{error}: {own.tail().rpartition(chr(10))[2]}") from None
        yield
        docker("image", "prune", "--force")  # what builds have left
    finally:
        own.end(_END_SECONDS)


def bounded() -> bool:
    """Whether this machine withholds CAP_SYS_RESOURCE even from root, as some microVMs do."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return not int(bounding, 16) >> _SYS_RESOURCE & 1


def _runtime() -> list[str]:
    """Without that capability `docker run --privileged` fails, unless the container's specification asks for less."""
    if not bounded():
        return []
    debian.need("jq", packages=["jq"])
    return [f"--add-runtime=bounded={_RUNC_WITHOUT_SYS_RESOURCE}", "--default-runtime=bounded"]
