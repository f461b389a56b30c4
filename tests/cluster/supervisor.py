"""The process that holds a cluster: it outlives none of the cluster's users, and nothing of the cluster outlives it.

    python -m tests.cluster.supervisor FOLDER RUNNER ARGUMENT [--detached] [--disposable]

Each user holds a shared lock on FOLDER/users, which the kernel drops however the user ends. When nobody holds one any
more, the supervisor ends the cluster and itself. Detached, it minds no users and waits for SIGTERM.

It leads a process group to which all that it starts belongs, and holds FOLDER/supervisor locked, as each of those does.
FOLDER/cluster.json is there while the cluster is.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.cluster import controlplane, existing, kind
from tests.cluster.cluster import Cluster
from tests.cluster.errors import StartFailed, Unavailable
from tests.cluster.locks import locked, try_lock

_RUNNERS: dict[str, Callable[[Path, str], AbstractContextManager[Cluster]]] = {
    "control-plane": controlplane.run,
    "existing": existing.run,
    "kind": kind.run,
}
_POLL_SECONDS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("runner", choices=_RUNNERS)
    parser.add_argument("argument")
    parser.add_argument("--detached", action="store_true")
    parser.add_argument("--disposable", action="store_true", help="remove FOLDER at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())

    with ExitStack() as stack:
        own = stack.enter_context(locked(options.folder / "supervisor"))
        if options.disposable:
            stack.callback(shutil.rmtree, options.folder, ignore_errors=True)
        os.set_inheritable(own, True)
        os.truncate(own, 0)
        os.write(own, str(os.getpid()).encode())
        _hold(options.folder, _RUNNERS[options.runner](options.folder, options.argument), detached=options.detached)


def _hold(folder: Path, running: AbstractContextManager[Cluster], *, detached: bool) -> None:
    description = folder / "cluster.json"
    users = os.open(folder / "users", os.O_RDWR | os.O_CREAT, 0o600)  # open to the end: who comes late waits for it
    try:
        with running as cluster:
            description.touch(mode=0o600)
            description.write_text(cluster.to_json())
            _report("started", "")
            while detached or not try_lock(users):
                time.sleep(_POLL_SECONDS)
    except Unavailable as reason:
        _report("unavailable", str(reason))
    except StartFailed as error:
        _report("failed", str(error))
    finally:
        description.unlink(missing_ok=True)


def _report(word: str, message: str) -> None:
    """The only line on stdout, for tests.cluster.launch."""
    sys.stdout.write(json.dumps([word, message]) + "\n")
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
