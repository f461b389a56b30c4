"""Compute and simulate a million Plans from the costs of 10,000 real ones.

python -m benchmarks.million             write docs/benchmarks/million.md and million.svg
python -m benchmarks.million --print     print alone
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.million.model import Costs, Limits
from benchmarks.million.report import as_markdown, as_svg, checks
from benchmarks.pages import DOCS, publish

_FEW, _MANY = 10_000, 100_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", dest="only_print", help="write no page")
    given = parser.parse_args()
    files = {number: DOCS / f"plans-{number}.json" for number in (_FEW, _MANY)}
    lives = {number: json.loads(file.read_text()) for number, file in files.items() if file.exists()}
    costs = Costs.measured(lives[_FEW]) if _FEW in lives else Costs()
    source = f"[plans-{_FEW}.md](plans-{_FEW}.md)" if _FEW in lives else "an earlier run"
    limits = Limits()
    found = [check for number, life in lives.items() for check in checks(life, costs, fitted=number == _FEW)]
    page = as_markdown(costs, limits, _FEW, source, found)
    publish("million", page, as_svg(costs, limits, "both scales are logarithmic"), only_print=given.only_print)
    return 0


if __name__ == "__main__":
    sys.exit(main())
