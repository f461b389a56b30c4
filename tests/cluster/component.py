import subprocess
from contextlib import suppress
from pathlib import Path

from tests.cluster.errors import StartFailed

_TAIL_LINES = 15


class Component:
    """One program of the control plane; what it writes goes to a log file."""

    def __init__(self, log: Path, program: Path, *flags: str) -> None:
        self._log = log
        self._command = [str(program), *flags]
        self.name = program.name
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._process:
            return
        with self._log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._log.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    close_fds=False,  # the supervisor's lock, the one file that is made inheritable
                )
            except OSError as error:
                raise StartFailed(f"{self._command[0]} cannot run: {error.strerror}") from error

    def kill(self) -> None:
        """At once: its data goes with it, or stands in etcd."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self, seconds: float) -> None:
        """In order, or at once where that takes longer than `seconds`."""
        if self._process:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            self.kill()

    def check(self) -> None:
        """Raises StartFailed once the program has ended by itself."""
        if self._process and (status := self._process.poll()) is not None:
            raise StartFailed(f"{self._command[0]} ended with status {status}")

    def tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
