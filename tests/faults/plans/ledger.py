"""A plan that writes down each step, with the process that did it; tests/faults/ledger.py reads it."""

import os
import time
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from execloop import Context, Task, plan, task

WORLD = Path(os.environ["EXECLOOP_TEST_WORLD"])


class Ledger(BaseModel):
    steps: int = 1
    seconds: float = 0.0
    failing: int = 0
    """Each so manieth step fails at its first attempt; 0 none."""


@plan("ledger", parameters=Ledger)
class LedgerPlan:
    same_work_runs = None

    def __init__(self, parameters: Ledger, context: Context) -> None:
        self.parameters = parameters
        self._file = WORLD / f"{context.namespace}-{context.name}.ledger"

    def create(self) -> list[Task]:
        done = {line.split()[1] for line in self._lines() if line.startswith("end ")}
        return [task(str(n), partial(self._step, n)) for n in range(self.parameters.steps) if str(n) not in done]

    def _step(self, number: int) -> None:
        self._write("begin", number)
        time.sleep(self.parameters.seconds)
        failing = self.parameters.failing
        if failing and number % failing == 0 and not any(line.startswith(f"error {number} ") for line in self._lines()):
            self._write("error", number)
            raise OSError(f"step {number} fails at its first attempt")
        self._write("end", number)

    def _lines(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []

    def _write(self, word: str, number: int) -> None:
        with self._file.open("a") as file:
            file.write(f"{word} {number} {os.getpid()} {time.time():.3f}\n")
