"""What the demo prints and runs: commands as a reader would type them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster import Cluster

EXAMPLES = Path(__file__).parent
_PATIENCE = 60.0


def say(text: str) -> None:
    print(f"\n{_bold(f'▸ {text}')}", flush=True)


def execloop(*arguments: str, cluster: Cluster | None = None) -> None:
    """Run the command, after a line that shows it."""
    print(_bold(f"$ execloop {shlex.join(arguments)}"), flush=True)
    environment = os.environ | ({"KUBECONFIG": str(cluster.kubeconfig)} if cluster else {})
    subprocess.run([sys.executable, "-m", "execloop.cli", *arguments], env=environment, cwd=EXAMPLES, check=False)


def kubectl(cluster: Cluster, *arguments: str) -> None:
    print(_bold(f"$ kubectl {shlex.join(arguments)}"), flush=True)
    subprocess.run(cluster.command(*arguments), cwd=EXAMPLES, check=False)


def until(holds: Callable[[], bool], what: str, alive: Callable[[], None]) -> float:
    """Return the seconds that it took. `alive` raises when it can no longer happen. Raises SystemExit."""
    began = time.monotonic()
    while not holds():
        alive()
        if time.monotonic() - began > _PATIENCE:
            raise SystemExit(f"not seen within {_PATIENCE:.0f} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text
