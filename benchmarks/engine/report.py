"""The table, and the plot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks import picture
from benchmarks.engine.contenders import CONTENDERS
from benchmarks.engine.sitting import TURNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.engine.sitting import Result

__all__ = ["as_markdown", "as_svg"]

IDEAL_SECONDS = 0.1
"""For 1,000 waits of 10 ms, 100 at a time."""

PREAMBLE = """\
# What a task costs

A task whose three phases do nothing, and what each contender adds to it, measured on {machine}.
Each contender has processes of its own, which take turns, {turns} each, in one sitting; the best round counts. The
figures are processor time of that process: what else the machine does matters little then, and what the disk and the
server of a peer take is not held against it. Made by `make bench-engine`.

![Time a task, on a logarithmic scale](engine.svg)

"""
NOTES = """
{memory}

The library in Go whose idea execloop takes up needed 3.0 times the bare Python loop: 308 ns against 101 ns, on CPython
3.11, with its logger off. That was measured elsewhere and is not a part of this run of the benchmark.

The peers do other things besides. doit keeps a database of what is up to date. luigi looks for outputs. DBOS, a
workflow library in the style of Temporal that needs no server, writes each step to its database and resumes from there.
Prefect records every task run at its server. That is worth its cost where you need it. If you need
tasks run until a plan has converged, it says what the rest costs.
"""


def _label(result: Result) -> str:
    versions = " ".join((result.versions or {}).values())
    return f"{CONTENDERS[result.name].title} {versions}".strip()


def _ratio(results: Mapping[str, Result], result: Result) -> str:
    ratio = result.processor / results[CONTENDERS[result.name].base].processor
    return f"{ratio:,.{2 if ratio < 10 else 0}f}"


def _time(seconds: float) -> str:
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def _measured(results: Mapping[str, Result]) -> list[Result]:
    return [result for result in results.values() if math.isfinite(result.real)]


def _charted(results: Mapping[str, Result]) -> list[Result]:
    return [result for result in _measured(results) if CONTENDERS[result.name].base != "ideal"]


def as_markdown(results: Mapping[str, Result], machine: str) -> str:
    return "".join(
        [
            PREAMBLE.format(machine=machine, turns=TURNS),
            *_costs(results),
            *_waits(results),
            NOTES.format(memory=_memory(results)),
            *_left_out(results),
        ]
    )


def _costs(results: Mapping[str, Result]) -> Iterator[str]:
    yield "| | a task | times the loop by hand |\n|---|---:|---:|\n"
    for result in _charted(results):
        yield f"| {_label(result)} | {_time(result.processor)} | {_ratio(results, result)} |\n"


def _waits(results: Mapping[str, Result]) -> Iterator[str]:
    yield "\n1,000 tasks that each wait 10 ms, 100 at a time: 100 ms if nothing else took any time.\n\n"
    yield "| | in all | times the ideal | processor time |\n|---|---:|---:|---:|\n"
    for result in _measured(results):
        if CONTENDERS[result.name].base == "ideal":
            real, processor = (each * CONTENDERS[result.name].tasks for each in (result.real, result.processor))
            ratio = f"{real / IDEAL_SECONDS:.2f}"
            yield f"| {_label(result)} | {real * 1000:.0f} ms | {ratio} | {processor * 1000:.0f} ms |\n"


def _memory(results: Mapping[str, Result]) -> str:
    few, many = (results[name].peak_kib / 1024 for name in ("ours_few_runs", "ours_many_runs"))
    return (
        "In the lines of many runs a run counts as a task: it asks the plan and performs one task. Memory does not\n"
        f"grow with them: after 1,000 runs the process had used {few:.1f} MiB at most, after 100,000 {many:.1f} MiB."
    )


def _left_out(results: Mapping[str, Result]) -> Iterator[str]:
    for result in results.values():
        if result.missing:
            yield f"\n{CONTENDERS[result.name].title} is left out: {result.missing}.\n"


def as_svg(results: Mapping[str, Result], machine: str) -> str:
    title = "What a task costs, and how many times the loop by hand"
    shown = [_bar(results, result) for result in _charted(results)]
    return picture.bars(title, f"{machine}; logarithmic scale", [picture.Group("", shown)], _time)


def _bar(results: Mapping[str, Result], result: Result) -> picture.Bar:
    kind = "ours" if result.name.startswith("ours") else "peer" if CONTENDERS[result.name].needs else "hand"
    text = f"{_time(result.processor)}, {_ratio(results, result)} times"
    return picture.Bar(_label(result), result.processor, text, kind)
