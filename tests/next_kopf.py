"""Run the operator's tests on Kopf's next minor version, when the registry has one: `python -m tests.next_kopf`.

execloop uses parts of Kopf that its documentation does not promise, so it is pinned to one minor version (decision 1).
This says early what the next one breaks. Continuous integration runs it; the exit code is that of failing tests alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pythons import ROOT, environment

TESTS = (
    "tests/unit/controller/watch",
    "tests/unit/controller/manager",
    "tests/integration/test_operator.py",
    "tests/integration/test_operator_start.py",
)


def main() -> int:
    ceiling = _ceiling((ROOT / "pyproject.toml").read_text())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries=1", "--timeout=10"]
    asked = subprocess.run([*pip, "index", "versions", "kopf"], capture_output=True, text=True, check=False)
    newest = newest_of(asked.stdout)
    if newest is None:
        return _say("left out: no registry lists the versions of Kopf")
    if newest < ceiling:
        return _say(f"Kopf {_text(newest)} is the newest, and execloop uses its minor version")
    _say(f"== Kopf {_text(newest)}")
    with tempfile.TemporaryDirectory(prefix="execloop-kopf-") as folder:
        inside = environment(sys.executable, Path(folder))
        subprocess.run([inside, "-m", "pip", "install", "--quiet", f"kopf=={_text(newest)}"], check=True)
        done = subprocess.run([inside, "-m", "pytest", "-n", "2", *TESTS], cwd=ROOT, check=False)
    return int(done.returncode != 0)


def newest_of(listed: str) -> tuple[int, ...] | None:
    """Return the newest version in what `pip index versions` prints."""
    found = re.match(r"kopf \((\d+(?:\.\d+)*)\)", listed)
    return None if found is None else tuple(map(int, found[1].split(".")))


def _ceiling(project: str) -> tuple[int, ...]:
    """Return the version that pyproject.toml allows no more."""
    found = re.search(r'"kopf>=[\d.]+,<([\d.]+)"', project)
    assert found is not None, "pyproject.toml pins Kopf to a minor version"
    return tuple(map(int, found[1].split(".")))


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _say(line: str) -> int:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
