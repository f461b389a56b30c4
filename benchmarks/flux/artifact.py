"""What Flux's source-controller would serve: one archive with the objects of every Kustomization, over HTTP."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["archive", "serving", "source_status"]

_MOMENT = "2026-01-01T00:00:00Z"
_PATH = "objects.tar.gz"


def archive(objects: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a tar.gz of one YAML file, the same bytes for the same objects."""
    text = yaml.safe_dump_all(objects, sort_keys=False).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("objects.yaml")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return gzip.compress(packed.getvalue(), mtime=0)


def source_status(content: bytes, address: str) -> dict[str, Any]:
    """Return the status of a GitRepository whose artifact is at this address, as source-controller writes it."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    artifact = {
        "digest": digest,
        "revision": f"main@{digest}",
        "path": _PATH,
        "url": f"{address}/{_PATH}",
        "size": len(content),
        "lastUpdateTime": _MOMENT,
    }
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact"}
    return {
        "observedGeneration": 1,
        "artifact": artifact,
        "conditions": [ready | {"lastTransitionTime": _MOMENT, "observedGeneration": 1}],
    }


@contextmanager
def serving(content: bytes) -> Iterator[str]:
    """Serve the archive on the loopback interface; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
