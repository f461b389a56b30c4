"""One contender in a process of its own: `python -m benchmarks.engine.measure NAME` prints its result as JSON."""

from __future__ import annotations

import gc
import importlib.metadata
import json
import resource
import sys
import time

from benchmarks.engine.contenders import CONTENDERS

SECONDS = 1.5
"""Of the processor, the making of the work among them."""
ROUNDS = range(3, 30)
"""At least so many, and fewer than so many."""


def measure(name: str) -> dict[str, object]:
    contender = CONTENDERS[name]
    real: list[float] = []
    processor: list[float] = []
    while len(real) < ROUNDS.start or (len(real) + 1 in ROUNDS and time.process_time() < SECONDS):
        timed = contender.prepare(contender.tasks)
        gc.collect()
        start = time.perf_counter(), time.process_time()
        timed()
        real.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return {
        "real": min(real) / contender.tasks,
        "processor": min(processor) / contender.tasks,
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "versions": {needed: importlib.metadata.version(needed) for needed in contender.needs},
    }


if __name__ == "__main__":
    print("\n" + json.dumps(measure(sys.argv[1])), flush=True)
