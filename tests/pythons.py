"""Run the unit tests under every Python that execloop supports: `python -m tests.pythons [pytest's arguments]`.

An interpreter is looked for on the PATH and among those of pyenv. Each gets a throwaway environment from the lock. One
that is missing is said to be; the exit code is that of failing tests alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t")
"""With a `t`: the free-threaded build."""


def main() -> int:
    results = {version: _test(version, sys.argv[1:]) for version in VERSIONS}
    sys.stdout.write("".join(f"Python {version:<6} {result}\n" for version, result in results.items()))
    return int("failed" in results.values())


def _test(version: str, arguments: list[str]) -> str:
    if (python := _find(version)) is None:
        return "not found"
    sys.stdout.write(f"== Python {version}: {python}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix=f"execloop-python-{version}-") as folder:
        try:
            inside = environment(python, Path(folder))
        except subprocess.CalledProcessError:
            return "left out: what the tests need could not be installed"
        command = [inside, "-m", "pytest", "-p", "no:cacheprovider", *(arguments or ["-n", "2"]), "tests/unit"]
        return "passed" if subprocess.run(command, cwd=ROOT, check=False).returncode == 0 else "failed"


def _find(version: str) -> str | None:
    for candidate in _candidates(version):
        try:
            done = subprocess.run([candidate, "--version"], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:  # a shim of pyenv may stand for nothing
            return candidate
    return None


def _candidates(version: str) -> Iterator[str]:
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for path in sorted(pyenv.glob(f"versions/*/bin/python{version}")):
        yield str(path)


def environment(python: str, folder: Path) -> str:
    inside = str(folder / "bin" / "python")
    for command in (
        [python, "-m", "venv", str(folder)],
        [inside, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements.lock"],
        [inside, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."],
    ):
        subprocess.run(command, cwd=ROOT, check=True)
    return inside


if __name__ == "__main__":
    sys.exit(main())
