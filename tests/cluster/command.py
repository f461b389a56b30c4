"""`python -m tests.cluster up|hold|down`: a cluster in a folder of its own.

`up` leaves it running until `down`; `hold` keeps it while standard input is open.
"""

import argparse
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.cluster import chain
from tests.cluster.cluster import Cluster, find_kubectl, wait_until
from tests.cluster.errors import NoCluster, StartFailed, Unavailable
from tests.cluster.launch import ROOT
from tests.cluster.locks import locked, try_lock
from tests.cluster.provide import provide, running

_END_SECONDS = 5
_ADVICE = """Any one of these helps:
  EXECLOOP_TEST_KUBECONFIG=<the kubeconfig of a cluster that you have>
  a network that lets the envtest archive through (60 MB)
  a Docker daemon, and kind on the PATH
  a Go module proxy, to build a control plane from source (seven minutes)
docs/cluster.md has the details."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return _main()
    except KeyboardInterrupt:
        return _refuse("interrupted; nothing is left running", status=128 + signal.SIGINT)


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=["up", "hold", "down"])
    parser.add_argument("--folder", type=Path, default=ROOT / ".cluster")
    parser.add_argument("--least", action="store_true", help="do without a controller manager that has to be built")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    try:
        return (
            hold(folder, least=options.least)
            if options.command == "hold"
            else _stay(options.command, folder, least=options.least)
        )
    except NoCluster as none:
        return _refuse("\n  ".join(["No cluster to be had:", *none.reasons]) + f"\n{_ADVICE}")
    except StartFailed as error:
        return _refuse(f"The cluster did not start: {error}")


def hold(folder: Path, *, least: bool) -> int:
    folder.mkdir(mode=0o700, exist_ok=True)
    with provide(folder, least=least) as cluster:
        sys.stdout.write(f"{cluster.kubeconfig}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


def _stay(command: str, folder: Path, *, least: bool) -> int:
    with locked(folder.parent):  # one `up` or `down` at a time
        if command == "down":
            down(folder)
            return 0
        cluster = running(folder) or up(folder, least=least)
    sys.stderr.write(f"{cluster.server} answers; `make cluster-down` ends it\n")
    sys.stdout.write(f"{cluster.kubeconfig}\n")
    return 0


def _refuse(why: str, status: int = 1) -> int:
    sys.stderr.write(f"{why}\n")
    return status


def up(folder: Path, *, least: bool = False) -> Cluster:
    down(folder)  # what is left of one that does not answer
    folder.mkdir(mode=0o700)
    try:
        chain.start(folder, detached=True, least=least)
    except BaseException:
        with suppress(OSError, StartFailed):
            down(folder)  # etcd may write for a moment after its supervisor has ended
        shutil.rmtree(folder, ignore_errors=True)
        raise
    cluster = Cluster.from_json((folder / "cluster.json").read_text())
    _link_tools(cluster, folder / "bin")
    return cluster


def down(folder: Path) -> None:
    """Also ends what outlived a supervisor that was killed."""
    with suppress(FileNotFoundError):
        lock = os.open(folder / "supervisor", os.O_RDWR)
        try:
            _end(lock)
        finally:
            os.close(lock)
        shutil.rmtree(folder)


def _end(lock: int) -> None:
    """While the lock is held a process of the supervisor's group lives, so that the number is still the group's."""
    if try_lock(lock):
        return
    group = int(os.pread(lock, 32, 0))
    with suppress(ProcessLookupError):
        os.kill(group, signal.SIGTERM)
        with suppress(StartFailed):
            wait_until(lambda: try_lock(lock), seconds=_END_SECONDS, what="the supervisor's end")
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    wait_until(lambda: try_lock(lock), seconds=_END_SECONDS, what="the cluster's end")


def _link_tools(cluster: Cluster, links: Path) -> None:
    links.mkdir()
    tools = list(cluster.bin.iterdir()) if cluster.bin else []
    with suppress(Unavailable):
        tools.append(find_kubectl(cluster.bin))
    for tool in {tool.name: tool for tool in tools}.values():
        (links / tool.name).symlink_to(tool)
