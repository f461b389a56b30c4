"""The table, and the plot: a few lines of SVG need no library."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

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


# -- the plot

LEFT, TOP, ROW, WIDTH = 290, 56, 26, 560
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#222}.h{font-weight:600;font-size:15px}.g{stroke:#ddd}"
    ".a{fill:#777;font-size:11px}.ours{fill:#2a6fdb}.hand{fill:#999}.peer{fill:#d9a441}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}.a{fill:#999}}</style>"
)


def as_svg(results: Mapping[str, Result], machine: str) -> str:
    shown = _charted(results)
    low = math.floor(math.log10(min(result.processor for result in shown)))
    high = math.ceil(math.log10(max(result.processor for result in shown)))
    scale = WIDTH / (high - low)
    height = TOP + ROW * len(shown) + 34
    grid = "".join(_gridline(low, exponent, scale, height) for exponent in range(low, high + 1))
    bars = "".join(_bar(results, result, row, low, scale) for row, result in enumerate(shown))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 150} {height}" role="img">'
        f"<title>What a task costs</title>{STYLE}"
        f'<text class="h" x="12" y="24">What a task costs, and how many times the loop by hand</text>'
        f'<text class="a" x="12" y="42">{escape(machine)}; logarithmic scale</text>{grid}{bars}</svg>\n'
    )


def _gridline(low: int, exponent: int, scale: float, height: int) -> str:
    x = LEFT + (exponent - low) * scale
    return (
        f'<line class="g" x1="{x:.0f}" y1="{TOP - 6}" x2="{x:.0f}" y2="{height - 28}"/>'
        f'<text class="a" x="{x:.0f}" y="{height - 12}" text-anchor="middle">{_time(10.0**exponent)}</text>'
    )


def _bar(results: Mapping[str, Result], result: Result, row: int, low: int, scale: float) -> str:
    y = TOP + row * ROW
    width = (math.log10(result.processor) - low) * scale
    kind = "ours" if result.name.startswith("ours") else "peer" if CONTENDERS[result.name].needs else "hand"
    told = f"{_time(result.processor)}, {_ratio(results, result)} times"
    return (
        f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(_label(result))}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{y + 2}" width="{width:.1f}" height="{ROW - 8}" rx="3"/>'
        f'<text x="{LEFT + width + 8:.0f}" y="{y + 15}">{told}</text>'
    )
