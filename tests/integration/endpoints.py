"""What an operator answers on its port."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Endpoints:
    def __init__(self, port: int) -> None:
        self.port = port

    @classmethod
    @contextmanager
    def reserved(cls) -> Iterator["Endpoints"]:
        """On a port that nobody else of this machine is given meanwhile: bound, not listened on."""
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", 0))
            yield cls(held.getsockname()[1])

    def ready(self) -> str:
        return self._ask("readyz")

    def healthy(self) -> str:
        return self._ask("healthz")

    def served(self) -> str:
        """The metrics."""
        return self._ask("metrics")

    def metric(self, sample: str) -> float | None:
        """The value of a sample, `name` or `name{labels}`."""
        for line in self.served().splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return None

    def _ask(self, path: str) -> str:
        """The answer without its last newline, whatever its status; empty when there is none."""
        answer = b""
        with suppress(OSError):
            try:
                with urllib.request.urlopen(f"http://localhost:{self.port}/{path}", timeout=5) as response:
                    answer = response.read()
            except urllib.error.HTTPError as error:
                with error:
                    answer = error.read()
        return answer.decode().removesuffix("\n")
