"""TLS as kubectl does it, from PEM text in memory."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.kube.config.credentials import ClientCertificate

__all__ = ["Tls"]


class Tls:
    """A context that trusts `ca`, or what the system trusts, and shows the certificate it was last given.

    Raises ssl.SSLError for what is not a certificate, or a key that does not fit it.
    """

    def __init__(self, ca: str | None = None, *, insecure: bool = False) -> None:
        self.context = ssl.create_default_context(cadata=ca)
        # Python 3.13 made RFC 5280's stricter rules the default; many clusters' own authorities break them.
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if insecure:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        self._shown: ClientCertificate | None = None

    def show(self, certificate: ClientCertificate | None) -> None:
        """On new connections."""
        if certificate is None or certificate is self._shown:
            return
        with _as_file(f"{certificate.certificate}\n{certificate.key}\n".encode()) as path:
            self.context.load_cert_chain(path)
        self._shown = certificate


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Python's ssl reads keys from files only; one in memory needs no writable disk and leaves no key behind."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("execloop"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
