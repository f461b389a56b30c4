"""How the operator's own work grows with the number of Plans: CPU seconds at 1x, 10x and 100x, and the exponent.

    python -m benchmarks.scale             write docs/benchmarks/scale.md and scale.svg; exit 1 when one is not linear
    python -m benchmarks.scale --print     print alone

No cluster is needed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.pages import load, machine, publish
from benchmarks.scale.cases import CASES
from benchmarks.scale.report import MOST, Row, as_markdown, as_svg

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZES = (100, 1_000, 10_000)
_ROUNDS = 3


async def measured(case: Callable[[int], object], number: int) -> float:
    """Return the CPU seconds of the best round; a case may return the part to measure."""
    best = math.inf
    for _ in range(_ROUNDS):
        gc.collect()
        began = time.thread_time()
        work = case(number)
        if callable(work):
            began = time.thread_time()
            work()
        best = min(best, time.thread_time() - began)
        await asyncio.sleep(0)
    return best


def row(case: Callable[[int], object]) -> Row:
    does = (case.__doc__ or "").strip().removesuffix(".")
    return Row(case.__name__.replace("_", " "), does, tuple(asyncio.run(measured(case, size)) for size in _SIZES))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", dest="only_print", help="write no page")
    given = parser.parse_args()
    before = load()
    rows = [row(case) for case in CASES]
    page = as_markdown(rows, _SIZES, machine(), before)
    publish("scale", page, as_svg(rows, _SIZES, machine()), only_print=given.only_print)
    return 1 if max(each.exponent(_SIZES) for each in rows) > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
