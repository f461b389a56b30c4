"""What a Plan at rest takes of one operator's memory: the cache, the queue and the watches of references.

    python -m benchmarks.operator.memory [PLANS]

Each Plan is one that converged, as the API server lists it; the operator has validated and observed it once.
"""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

from execloop._engine.walk import Stop
from execloop._plans.registry import Registry
from execloop.controller.access import Access
from execloop.controller.reconcile.inputs.validation import Validator
from execloop.controller.timing import Times
from execloop.controller.watch.cache import Cache, Key
from execloop.controller.watch.workqueue import WorkQueue

_NOW = "2026-01-01T00:00:00Z"
_INTERVAL = 600.0


def listed(number: int) -> bytes:
    """Return a converged Plan as it comes from the API server."""
    execution = {
        "id": f"{number:012x}",
        "inputs": f"sha256:{number:064x}",
        "startedAt": _NOW,
        "finishedAt": _NOW,
        "runs": 2,
        "errors": 0,
        "result": "Converged",
        "generation": 1,
        "message": "no tasks remain",
    }
    ready = {"type": "Ready", "status": "True", "reason": "Converged", "message": "no tasks remain"}
    status = {
        "observedGeneration": 1,
        "conditions": [ready | {"lastTransitionTime": _NOW, "observedGeneration": 1}],
        "execution": execution,
        "lastConvergedAt": _NOW,
        "state": "Converged",
        "errors": "0/5",
    }
    metadata = {
        "name": f"plan-{number:06d}",
        "namespace": f"team-{number % 100}",
        "uid": f"00000000-0000-4000-8000-{number:012x}",
        "resourceVersion": str(1_000_000 + number),
        "generation": 1,
    }
    spec = {"plan": "noop", "parameters": {"count": 3, "owner": f"team-{number % 100}"}, "interval": "10m"}
    return json.dumps({"metadata": metadata, "spec": spec, "status": status}).encode()


def hold(number: int) -> tuple[Cache, WorkQueue[Key]]:
    """Return what an operator holds of so many Plans."""
    cache, queue, times = Cache(), WorkQueue[Key](), Times()
    validator = Validator(Registry.load([Path(__file__).parent / "plans"]), Access())
    for each in range(number):
        body: dict[str, Any] = json.loads(listed(each))
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        cache.put(key, body, listed=True)
        state = cache.get(key)
        assert state is not None
        with state.working(Stop(), times) as work:
            validator.of(state, work.snapshot)
            state.schedule(times.monotonic() + _INTERVAL)
        queue.add(key, _INTERVAL)
    return cache, queue


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    hold(100)
    gc.collect()
    before = resident()
    held = hold(number)
    gc.collect()
    grown = (resident() - before) / number
    del held
    gc.collect()
    tracemalloc.start()
    held = hold(number)
    gc.collect()
    allocated, peak = tracemalloc.get_traced_memory()
    print(f"{number:,} Plans at rest: {grown / 1024:.1f} KiB resident and {allocated / number / 1024:.1f} KiB", end=" ")
    print(f"allocated a Plan, {peak / number / 1024:.1f} KiB at the peak")
    del held


if __name__ == "__main__":
    main()
