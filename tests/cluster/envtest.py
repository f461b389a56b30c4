"""The archive of etcd, kube-apiserver and kubectl that the Kubernetes project publishes for tests.

Without a controller manager there is no garbage collection, and no deleted namespace goes away.
"""

import hashlib
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tests.cluster.binaries import REQUIRED, cache, control_plane, make_cache, missing
from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source
from tests.cluster.progress import Progress

VERSION = "v1.36.2"
_RELEASE = f"https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-{VERSION}"
# As published beside the archives.
SHA512 = {
    "darwin-amd64": "b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbe"
    "f8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514",
    "darwin-arm64": "9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916"
    "e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce",
    "linux-amd64": "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
    "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
    "linux-arm64": "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
    "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
}
_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}
_SILENCE_SECONDS = 5
_TRANSFER_SECONDS = 600
_GUESS_SECONDS = 30
_CHUNK_BYTES = 1 << 20


def find() -> Source:
    """From the cache, else over the network: EXECLOOP_ENVTEST_MIRROR is the URL of a folder with the archive."""
    folder = cache() / f"envtest-{VERSION}"
    if missing(folder):
        if os.environ.get("EXECLOOP_OFFLINE") == "1":
            raise Unavailable("not in the cache, and EXECLOOP_OFFLINE=1 leaves the download out")
        machine = this_machine()
        if machine not in SHA512:
            raise Unavailable(f"no archive is published for {machine}")
        mirror = os.environ.get("EXECLOOP_ENVTEST_MIRROR", _RELEASE).rstrip("/")
        install(f"{mirror}/envtest-{VERSION}-{machine}.tar.gz", SHA512[machine], folder)
    return control_plane(folder)


def this_machine() -> str:
    processor = platform.machine()
    return f"{platform.system().lower()}-{_PROCESSORS.get(processor, processor)}"


def install(url: str, sha512: str, folder: Path) -> None:
    """The folder is there whole, or not at all."""
    make_cache(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".envtest-") as temporary:
        archive = Path(temporary) / "archive.tar.gz"
        _download(url, archive)
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha512").hexdigest()
        if found != sha512:
            raise Unavailable(f"{url} is not the published archive: its SHA-512 is {found[:12]}…, not {sha512[:12]}…")
        unpacked = Path(temporary) / "bin"
        _unpack(archive, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)


def _download(url: str, target: Path) -> None:
    sys.stderr.write(f"downloading {url}\n")
    deadline = time.monotonic() + _TRANSFER_SECONDS
    try:
        with urllib.request.urlopen(url, timeout=_SILENCE_SECONDS) as response, target.open("wb") as file:
            expected = response.headers.get("Content-Length")
            progress = Progress(f"downloading {target.name}", int(expected or 0), _GUESS_SECONDS)
            while chunk := response.read(_CHUNK_BYTES):
                file.write(chunk)
                progress(file.tell())
                if time.monotonic() > deadline:
                    raise Unavailable(f"{url} was not here after {_TRANSFER_SECONDS} s")
            received = file.tell()
            progress.close()
    except (OSError, HTTPException, ValueError) as error:
        raise Unavailable(f"{url} cannot be had: {getattr(error, 'reason', None) or error}") from error
    if expected and received != int(expected):
        raise Unavailable(f"{url} broke off after {received} of {expected} bytes")


def _unpack(archive: Path, folder: Path) -> None:
    """The archive keeps its programs in a folder that does not matter here."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                name = Path(member.name).name
                if name in REQUIRED and member.isfile():
                    tar.extract(member.replace(name=name), folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Unavailable(f"{archive.name} cannot be unpacked: {error}") from error
    if lacking := missing(folder):
        raise Unavailable(f"the archive lacks {', '.join(lacking)}")
