"""`python -m release.wheels FOLDER`: the wheels that the image installs, their hashes in FOLDER/requirements.txt."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from release.locked import LOCK, needed

EXTRAS = ("operator", "cel", "page", "sql")
EPOCH = "315532800"
"""For SOURCE_DATE_EPOCH: 1980, the first year that a zip file can tell."""
_ROOT = LOCK.parent
# What pip calls them; the machine that runs the image is Linux, whatever this one is.
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m release.wheels", description=__doc__)
    parser.add_argument("folder", type=Path, help="created; an older one is deleted")
    parser.add_argument("--python-version", default="{}.{}".format(*sys.version_info), help="the image's, as 3.13")
    parser.add_argument("--machine", default=platform.machine(), help="the image's, as x86_64 or aarch64")
    options = parser.parse_args()
    collect(options.folder, options.python_version, options.machine)


def collect(folder: Path, python_version: str, machine: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{entry}\n" for entry in needed(EXTRAS, python_version)))
    platforms = [f"--platform={platform}_{machine}" for platform in _PLATFORMS]
    _run("download", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--python-version={python_version}",
         *platforms, f"--dest={folder}", f"--requirement={requirements}")  # fmt: skip
    own = own_wheel(folder)
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    with requirements.open("a") as file:
        file.write(f"execloop @ file:///wheels/{own.name} --hash=sha256:{digest}\n")


def own_wheel(folder: Path) -> Path:
    """Built from the work tree. Equal sources make equal bytes: each file in it has the time of SOURCE_DATE_EPOCH."""
    before = set(folder.glob("execloop-*.whl"))
    _run("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", str(_ROOT))
    (wheel,) = set(folder.glob("execloop-*.whl")) - before or before
    return wheel


def _run(*arguments: str) -> None:
    environment = {"SOURCE_DATE_EPOCH": EPOCH, **os.environ}
    subprocess.run([*_PIP, *arguments], check=True, env=environment)


if __name__ == "__main__":
    main()
