"""TLS as kubectl does it, from PEM text in memory."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.kube.credentials import ClientCertificate

__all__ = ["client_context", "present"]


def client_context(ca: str | None, *, insecure: bool = False) -> ssl.SSLContext:
    """Trusts `ca`, or what the system trusts; raises ssl.SSLError when it is no certificate."""
    context = ssl.create_default_context(cadata=ca)
    # Python 3.13 made RFC 5280's stricter rules the default; many clusters' own authorities break them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def present(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """New connections show this certificate; raises ssl.SSLError when it and its key do not fit."""
    with _as_file(f"{certificate.certificate}\n{certificate.key}\n".encode()) as path:
        context.load_cert_chain(path)


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
