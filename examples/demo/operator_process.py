"""The operator of the demo: started beside it, watched, and ended with it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from examples.demo.shell import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster import Cluster

__all__ = ["Operator"]

_END_SECONDS = 20
_LINES = 12


class Operator:
    """A process with a log. `page`: the address of the live page, empty for none."""

    def __init__(self, cluster: Cluster, log: Path, page: str) -> None:
        command = [sys.executable, "-m", "execloop.cli", "operator", f"--kubeconfig={cluster.kubeconfig}"]
        # The Plans have no service account: the operator lets them reach the namespace `site`, and make it.
        command += ["--manifests-namespace=Namespace", "--manifests-namespace=site"]
        command += [f"--page={page}"] if page else []
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, f"--plans={EXAMPLES / 'plans'}"], stdout=file, stderr=file, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise SystemExit, with the end of the log, when the process has ended: without it nothing converges."""
        if (code := self._process.poll()) is None:
            return
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        last = "\n".join(self._log.read_text(errors="replace").splitlines()[-_LINES:])
        raise SystemExit(f"the operator of the demo has ended ({how}), so nothing converges. Its log ends:\n{last}")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
