"""Measure the operator beside others that do the same, on a control plane of its own: one sitting, one at a time.

    python -m benchmarks.operator                      write docs/benchmarks/operator.md and operator.svg
    python -m benchmarks.operator --quick              one round, no reaction, print alone
    python -m benchmarks.operator --quick execloop     of these contenders alone

A contender that cannot run here is left out, and the page says why.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.operator.contenders import CONTENDERS, Unavailable
from benchmarks.operator.measure import backlog, live, reaction
from benchmarks.operator.report import Sitting, as_markdown, as_svg
from benchmarks.operator.restart import restarts
from benchmarks.operator.server import NAMESPACE, Server, install
from benchmarks.pages import load, machine, publish, tell
from tests.cluster import Cluster, NoCluster, provide

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS = 3
CREATIONS = 50
LIVE_RATE = 100.0


def prepare(cluster: Cluster, names: list[str], sitting: Sitting) -> list[str]:
    """The contenders that can run here."""
    install(cluster)
    found = []
    for name in names:
        try:
            CONTENDERS[name].command(cluster)
        except Unavailable as reason:
            sitting.missing[name] = str(reason)
            tell(f"{name} is left out: {reason}")
        else:
            found.append(name)
    return found


async def sit(cluster: Cluster, names: list[str], sitting: Sitting, creations: int) -> None:
    server = Server(cluster)
    try:
        for plan in ("noop", "configmaps"):
            for name, turn in _in_turn(names, sitting.rounds):
                if plan in CONTENDERS[name].plans:
                    found = await backlog(server, CONTENDERS[name], plan, TASKS, sitting.number)
                    sitting.backlogs.setdefault((plan, name), []).append(found)
                    tell(f"{plan}, {name}, {turn + 1} of {sitting.rounds}: {found.plans_per_second:.0f} Plans/s")
        for name, turn in _in_turn(names, sitting.rounds if creations else 0):
            if CONTENDERS[name].lives:
                tell(f"{LIVE_RATE:.0f} new Plans a second, {name}, {turn + 1} of {sitting.rounds}")
                lived = await live(server, CONTENDERS[name], LIVE_RATE, sitting.live_seconds)
                sitting.lives[name] = sitting.lives[name].with_(lived) if name in sitting.lives else lived
        for name in names:
            if CONTENDERS[name].lives:
                tell(f"{sitting.number} Plans, a restart, {name}")
                sitting.restarts[name] = await restarts(server, CONTENDERS[name], sitting.number, sitting.rounds)
            if creations and CONTENDERS[name].reacts:
                tell(f"one Plan at a time, {name}")
                sitting.reactions[name] = await reaction(server, CONTENDERS[name], creations, sitting.idle_seconds)
        await server.clean()
    finally:
        await server.close()


def _in_turn(names: list[str], rounds: int) -> Iterator[tuple[str, int]]:
    """Each in each round, every second round backwards: an API server grows slower, more so after a busy contender."""
    for turn in range(rounds):
        first = turn % len(names)
        order = names[first:] + names[:first]
        yield from ((name, turn) for name in (reversed(order) if turn % 2 else order))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__.partition("\n")[0])
    parser.add_argument("contenders", nargs="*", help=f"of {', '.join(CONTENDERS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="one round, no reaction; print, and write no page")
    parser.add_argument("--plans", type=int, default=1000, metavar="N", help="how many Plans wait; 1000 if not given")
    given = parser.parse_args()
    if unknown := set(given.contenders) - set(CONTENDERS):
        parser.error(f"no contender is named {', '.join(sorted(unknown))}")
    if not Path("/proc/self/stat").exists():
        parser.error("CPU and memory are read from /proc: this needs Linux")
    sitting = Sitting(machine(), load(), given.plans, rounds=1 if given.quick else 3, idle_seconds=30.0)
    try:
        with provide() as cluster:
            names = prepare(cluster, given.contenders or list(CONTENDERS), sitting)
            asyncio.run(sit(cluster, names, sitting, creations=0 if given.quick else CREATIONS))
            cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    except NoCluster as none:
        tell(str(none))
        return 1
    publish("operator", as_markdown(sitting), as_svg(sitting), only_print=given.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
