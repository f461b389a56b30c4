"""A contender at work, in a process of its own, and what it uses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.operator.contenders import Contender
    from tests.cluster import Cluster

__all__ = ["Running", "running"]

_TICKS = os.sysconf("SC_CLK_TCK")
_SAID = 2000  # characters


class Running:
    """Read from /proc, so on Linux alone."""

    def __init__(self, process: int) -> None:
        self._proc = Path(f"/proc/{process}")

    def cpu_seconds(self) -> float:
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        self.split = (int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mib(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", (self._proc / "status").read_text())
        assert found
        return int(found[1]) / 1024


@contextmanager
def running(contender: Contender, cluster: Cluster) -> Iterator[Running]:
    """Ends it as Kubernetes does; when the measurement failed, what it said is a part of the error."""
    command = contender.command(cluster)
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(contender.environment(cluster)))
        try:
            yield Running(process.pid)
        except (TimeoutError, OSError, ApiError) as error:
            log.seek(0)
            said = log.read()[-_SAID:]
            raise RuntimeError(f"{contender.title}: {error or 'took too long'}; it said: {said}") from error
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
