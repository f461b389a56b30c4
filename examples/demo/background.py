"""The control plane, found or built by a process of its own while the demo shows something else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_BAR = "░█"
_DRAW_SECONDS = 0.2
_END_SECONDS = 10


class Background:
    """The process, and the lines that it wrote."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        command = [sys.executable, "-m", "tests.cluster", "up" if keep else "hold", "--least", f"--folder={folder}"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"EXECLOOP_PROGRESS_SECONDS": "1" if sys.stdout.isatty() else "15"},
            stdin=subprocess.PIPE,  # `hold` ends with it, however the demo ends
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C comes to the demo alone, which ends this
        )
        self._ready = False
        self._said: list[str] = []
        self._last = "a Kubernetes API server starts"
        self._fresh = False
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._heed, self._await)]
        for reader in self._readers:
            reader.start()

    def _heed(self) -> None:
        assert self._process.stderr
        for text in self._process.stderr:
            self._last, self._fresh = text.rstrip(), True
            if not any(char in text for char in _BAR):
                self._said.append(text)

    def _await(self) -> None:
        assert self._process.stdout
        self._ready = bool(self._process.stdout.readline())

    def wait(self) -> None:
        """Show how far it is until the API server answers. Raises SystemExit with the reasons."""
        began = time.monotonic()
        live = sys.stdout.isatty()
        while not self._ready and self._process.poll() is None:
            bar = any(char in self._last for char in _BAR)
            if live:
                text = self._last if bar else f"{self._last}, {time.monotonic() - began:.0f} s"
                print(f"\r\033[K{text}", end="", flush=True)
            elif self._fresh:
                self._fresh = False
                print(self._last, flush=True)
            time.sleep(_DRAW_SECONDS)
        if live:
            print("\r\033[K", end="", flush=True)
        for reader in self._readers:
            reader.join(1)
        if not self._ready:
            raise SystemExit("".join(self._said).strip())

    def end(self) -> None:
        """At once, whatever it does."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


@contextmanager
def background(folder: Path, *, keep: bool) -> Iterator[Background]:
    process = Background(folder, keep=keep)
    try:
        yield process
    finally:
        process.end()
