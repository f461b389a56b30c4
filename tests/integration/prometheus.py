"""A real Prometheus: from the PATH, else Debian's package, unpacked into the cache and not installed."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.debian import unpacked
from tests.integration.endpoints import Endpoints

_PACKAGE = "prometheus"


def find(program: str) -> Path:
    """`prometheus` or `promtool`. Raises Unavailable with the reason."""
    if found := shutil.which(program):
        return Path(found)
    return unpacked(_PACKAGE) / "usr" / "bin" / program


class Prometheus:
    def __init__(self, server: str) -> None:
        self._server = server

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query; nothing while the server starts."""
        url = f"{self._server}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                found: list[dict[str, Any]] = json.load(response)["data"]["result"]
        except OSError:
            return []
        return found

    def value(self, expression: str) -> float | None:
        """That of the one sample there is."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if len(found) == 1 else None


@contextmanager
def scraping(target: Endpoints, folder: Path) -> Iterator[Prometheus]:
    """It scrapes the target each second. Raises Unavailable."""
    program = find("prometheus")
    config = folder / "prometheus.yaml"
    job = {"job_name": "execloop", "static_configs": [{"targets": [f"localhost:{target.port}"]}]}
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
    with Endpoints.reserved() as own, (folder / "prometheus.log").open("w") as log:
        address = f"127.0.0.1:{own.port}"
        options = [
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={address}",
        ]
        process = subprocess.Popen([program, *options], cwd=folder, stdout=log, stderr=log)
        try:
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait(timeout=30)
