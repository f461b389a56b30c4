"""Completion in the shells themselves, at a terminal: what a person sees after the tab key."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from execloop.cli.group import execloop

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = {
    "bash": (["bash", "--norc", "-i"], "source <(execloop completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; source <(execloop completion zsh)"),
    "fish": (["fish", "--no-config", "-i"], "execloop completion fish | source"),
}
_SECONDS, _PATIENCE = 60.0, 3.0
_CLEAR = "\x15"
"""The key that empties the line."""


class Terminal:
    """A shell that has loaded the completion, in a folder with the folder `plans` and the file `keys.yaml`."""

    def __init__(self, shell: str, folder: Path) -> None:
        command, load = SHELLS[shell]
        (folder / "plans").mkdir()
        (folder / "keys.yaml").touch()
        self._process, self._file = pty.fork()
        if self._process == 0:
            os.chdir(folder)
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", "PATH": path, "HOME": str(folder)})
        os.write(self._file, f"{load}\n".encode())

    def complete(self, typed: str, expected: str) -> None:
        """Type it and press tab until the shell, which may still start, shows what is expected."""
        seen, end = "", time.monotonic() + _SECONDS
        while time.monotonic() < end:
            os.write(self._file, f"{_CLEAR}{typed}\t".encode())
            seen = ""
            while select.select([self._file], [], [], _PATIENCE)[0]:
                seen += os.read(self._file, 65536).decode(errors="replace")
                if expected in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|.\x08", "", seen):
                    return
        raise AssertionError(f"{expected!r} is not in {seen!r}")

    def end(self) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._file)


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which(request.param) is None:
        pytest.skip(f"this machine has no {request.param}: apt-get install {request.param}")
    found = Terminal(request.param, tmp_path)
    yield found
    found.end()


def test_commands_options_values_plans_and_files_complete(terminal: Terminal) -> None:
    terminal.complete("execloop bund", "execloop bundle ")
    terminal.complete("execloop get --outp", "execloop get --output ")
    terminal.complete("execloop get --output j", "--output json ")
    terminal.complete("execloop get --output=j", "--output=json ")
    terminal.complete("execloop run man", "execloop run manifests ")
    terminal.complete("execloop run --plans=pl", "--plans=plans/")
    terminal.complete("execloop validate ke", "execloop validate keys.yaml ")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_is_offered_with_its_whole_summary(shell: str) -> None:
    words = {"COMP_WORDS": "execloop bun", "COMP_CWORD": "1", "_EXECLOOP_COMPLETE": f"{shell}_complete"}
    if shell == "fish":
        words["COMP_CWORD"] = "bun"
    offered = CliRunner().invoke(execloop, prog_name="execloop", env=words).output
    assert "bundle" in offered
    assert ("Collect what a bug report about a Plan needs." in offered) is (shell != "bash")
