"""A real Prometheus: from the PATH, else Debian's package, unpacked into the cache and not installed."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.binaries import cache
from tests.cluster.errors import Unavailable
from tests.integration.endpoints import Endpoints

_PACKAGE = "prometheus"
_SECONDS = 120


def find(program: str) -> Path:
    """`prometheus` or `promtool`. Raises Unavailable with the reason."""
    if found := shutil.which(program):
        return Path(found)
    folder = cache() / "debian" / _PACKAGE
    if not folder.is_dir():
        _unpack(folder)
    return folder / "usr" / "bin" / program


def _unpack(folder: Path) -> None:
    lacking = f"{_PACKAGE} is not on the PATH"
    if os.environ.get("EXECLOOP_OFFLINE") == "1":
        raise Unavailable(f"{lacking}, and EXECLOOP_OFFLINE=1 leaves the download out")
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise Unavailable(f"{lacking}, and there is no apt-get to get Debian's package with")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        _run(["apt-get", "download", "--quiet", _PACKAGE], temporary)
        archive = next(Path(temporary).glob(f"{_PACKAGE}_*.deb"))
        _run(["dpkg", "--extract", str(archive), "unpacked"], temporary)
        unpacked = Path(temporary) / "unpacked"
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another test was faster
                raise


def _run(command: list[str], folder: str) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{_PACKAGE}: {command[0]}: {error.stderr.strip().rpartition(chr(10))[2]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{_PACKAGE}: {command[0]} was not done after {_SECONDS} s") from None


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
