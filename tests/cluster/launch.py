"""The starting of a supervisor, seen from the process that asks for it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.cluster.errors import StartFailed, Unavailable

ROOT = Path(__file__).parents[2]


class Source(NamedTuple):
    """What a provider found: what the supervisor is to run, and on what."""

    runner: str
    argument: str


def launch(folder: Path, source: Source, *, detached: bool = False, disposable: bool = False) -> subprocess.Popen[str]:
    """Returns the supervisor once its cluster is ready. Raises Unavailable or StartFailed."""
    command = [sys.executable, "-m", "tests.cluster.supervisor", str(folder), *source]
    command += ["--detached"] * detached + ["--disposable"] * disposable
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        try:
            with process.stdout:
                answer = process.stdout.readline()
        except BaseException:  # Ctrl-C: what has started so far ends now, not when it is ready
            process.terminate()
            process.wait()
            raise
        if answer:
            word, message = json.loads(answer)
        else:
            process.wait()
            log.seek(0)
            word, message = "failed", f"the cluster's supervisor ended: {log.read()}"
    if word == "started":
        return process
    process.wait()
    raise {"unavailable": Unavailable, "failed": StartFailed}[word](message)
