"""Measure many Plans on one operator, on a control plane of its own.

python -m benchmarks.crowd                     10,000; write docs/benchmarks/plans-10000.md, .svg and .json
python -m benchmarks.crowd --plans 100000      100,000, one restart, no checks: about half an hour
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from benchmarks.crowd.measure import Life, live
from benchmarks.crowd.report import as_json, as_markdown, as_svg
from benchmarks.operator.server import NAMESPACE, Server, install
from benchmarks.pages import DOCS, load, machine, publish, tell
from tests.cluster import Cluster, NoCluster, provide

_MANY = 30_000
"""From so many Plans on each part takes minutes: some are left out."""


async def sit(cluster: Cluster, number: int) -> Life:
    server = Server(cluster)
    try:
        many = number >= _MANY
        return await live(server, number, restarts=1 if many else 5, idle_seconds=30.0, checks=not many)
    finally:
        await server.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__.partition("\n")[0])
    parser.add_argument("--plans", type=int, default=10_000, metavar="N", help="10000 if not given")
    parser.add_argument("--print", action="store_true", dest="only_print", help="write no page")
    given = parser.parse_args()
    before = load()
    try:
        with provide() as cluster:
            install(cluster)
            life = asyncio.run(sit(cluster, given.plans))
            cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    except NoCluster as none:
        tell(str(none))
        return 1
    name = f"plans-{given.plans}"
    command = "make bench-100k" if given.plans == 100_000 else "make bench-crowd"
    publish(
        name, as_markdown(life, name, machine(), before, command), as_svg(life, machine()), only_print=given.only_print
    )
    if not given.only_print:
        (DOCS / f"{name}.json").write_text(as_json(life))
    return 0


if __name__ == "__main__":
    sys.exit(main())
