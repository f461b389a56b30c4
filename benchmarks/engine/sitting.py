"""One sitting: the contenders take turns, each in processes of its own, and what they were measured at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.contenders import CONTENDERS

__all__ = ["ROOT", "TURNS", "Result", "sit"]

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "execloop" / "benchmarks"
TURNS = 3


@dataclass
class Result:
    """The best of all rounds of all turns: what else this machine does can only make a round slower."""

    name: str
    real: float = float("inf")
    processor: float = float("inf")
    """Both in seconds for one task."""
    peak_kib: int = 0
    versions: dict[str, str] | None = None
    missing: str | None = None

    def add(self, measured: dict[str, Any]) -> None:
        self.real = min(self.real, measured["real"])
        self.processor = min(self.processor, measured["processor"])
        self.peak_kib = max(self.peak_kib, measured["peak_kib"])
        self.versions = measured["versions"]


def sit(names: list[str]) -> dict[str, Result]:
    results = {name: Result(name) for name in names}
    pythons = {}
    for name in names:
        if (python := _python_with(CONTENDERS[name].needs)) is None:
            results[name].missing = "pip could not install it"
        else:
            pythons[name] = python
    for turn in range(1, TURNS + 1):
        for name, python in pythons.items():
            if results[name].missing is None:
                print(f"turn {turn} of {TURNS}: {name}", file=sys.stderr)
                _take_turn(results[name], python)
    for result in results.values():
        if result.missing is not None:
            print(f"{CONTENDERS[result.name].title} is left out: {result.missing}", file=sys.stderr)
    return results


def _python_with(needs: tuple[str, ...]) -> Path | None:
    """A Python that has these distributions: this one, or one of an environment in the user's cache."""
    if not needs:
        return Path(sys.executable)
    folder = CACHE / f"{'-'.join(needs)}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    print(f"installing {', '.join(needs)}", file=sys.stderr)
    command = [str(python), "-m", "pip", "install", "--quiet", *needs]
    return python if subprocess.run(command, check=False).returncode == 0 else None


def _take_turn(result: Result, python: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="execloop-benchmark-", ignore_cleanup_errors=True) as empty:
        try:
            result.add(_measure(python, result.name, empty))
        except subprocess.CalledProcessError as error:
            last_words = (error.stderr.strip().splitlines() or ["without a word"])[-1]
            result.missing = f"it failed: {last_words.rstrip('.')}"
        except subprocess.TimeoutExpired as error:
            result.missing = f"it took more than {error.timeout:.0f} s"


def _measure(python: Path, name: str, folder: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), "-m", "benchmarks.engine.measure", name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "operator")])},
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
