"""The code blocks of a page of documentation, and what they mean.

| block | meaning |
|---|---|
| its first line is `# needs a cluster` | only its syntax is checked |
| its first line is `# plans/some.py` | it is that file, for the blocks that follow |
| `python` | is run, after those before it on the page, and must not fail |
| `console` | each `$ command` is run in the page's folder; what is shown below must be what it prints |
| `sh` | is for the reader's own machine: only its syntax is checked |
| `pycon` | is an example of a docstring, which tests/unit/test_public_api.py runs |
| `yaml`, `toml`, `json` | is read; a Plan among it must be one |

In what a command prints `…` stands for any text, and on a line of its own for any lines; seconds may differ.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDS_A_CLUSTER = "# needs a cluster"

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
_SECONDS = re.compile(r"\b\d+\.\d+ ?s\b")
_DONE = "-- done --"


@dataclass(frozen=True)
class Block:
    line: int
    """Of its first line of code on the page, from 1."""
    language: str
    text: str

    @property
    def needs_a_cluster(self) -> bool:
        return self.text.startswith(NEEDS_A_CLUSTER)

    @property
    def file(self) -> str | None:
        found = _FILE.match(self.text)
        return found[1] if found else None

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command of a console, and what it is said to print."""
        text = self.text.removeprefix(NEEDS_A_CLUSTER).lstrip("\n")
        if not text.startswith("$ "):
            raise ValueError(f"a console begins with `$ `, not with {text!r}")
        parts = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
        return [(command, printed) for command, _, printed in parts]


def blocks(page: str) -> list[Block]:
    return [
        Block(page.count("\n", 0, found.start()) + 2, found[2], dedent(found[3])) for found in _FENCE.finditer(page)
    ]


def program(page: list[Block]) -> str:
    """The page's python, each line where it stands on the page."""
    lines: list[str] = []
    for block in page:
        if block.language == "python" and block.file is None and not block.needs_a_cluster:
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.text.splitlines()
    return "\n".join(lines)


def run_python(source: str, page: str, folder: Path) -> subprocess.CompletedProcess[str]:
    runner = f"exec(compile({source!r}, {page!r}, 'exec'))"
    command = [sys.executable, "-W", "error", "-c", runner]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def run_console(block: Block, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each command with what the page shows, and what it printed."""
    commands = block.commands
    script = "\n".join(f"(exit $status)\n{command}\nstatus=$?\necho; echo '{_DONE}'" for command, _ in commands)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1; status=0\n{script}"],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "100", "KUBECONFIG": os.devnull, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    for (command, shown), printed in zip(commands, done.stdout.split(f"\n{_DONE}\n"), strict=False):
        yield command, shown, printed


def same(shown: str, printed: str) -> bool:
    pattern = "".join(
        r"(.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in _SECONDS.sub("0.0 s", text).strip().splitlines()]
