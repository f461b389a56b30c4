"""Measure the engine beside what people would pick instead: one process each, one sitting.

    python -m benchmarks.engine            write docs/benchmarks/engine.md and engine.svg
    python -m benchmarks.engine --quick    without peers, and print the table alone

Peers are installed into environments of their own, in the user's cache. One that cannot be is left out, and the table
says so.
"""

from __future__ import annotations

import argparse
import os
import platform

from benchmarks.engine.contenders import CONTENDERS
from benchmarks.engine.report import as_markdown, as_svg
from benchmarks.engine.sitting import ROOT, sit

DOCS = ROOT / "docs" / "benchmarks"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="without peers, and print the table alone")
    quick = parser.parse_args().quick
    results = sit([name for name, contender in CONTENDERS.items() if not (quick and contender.needs)])
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{python}, {os.cpu_count()} CPUs, {platform.system()}"
    table = as_markdown(results, machine)
    print(table)
    if not quick:
        DOCS.mkdir(parents=True, exist_ok=True)
        (DOCS / "engine.md").write_text(table)
        (DOCS / "engine.svg").write_text(as_svg(results, machine))


if __name__ == "__main__":
    main()
