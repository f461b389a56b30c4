"""Measure execloop's `manifests` beside Flux's kustomize-controller, with the same objects: one sitting.

    python -m benchmarks.flux                 write docs/benchmarks/flux.md and flux.svg
    python -m benchmarks.flux --plans 20 --print     few, print alone

The controller is built from its Go module at the first run, which takes a few minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.flux.artifact import archive, serving, source_status
from benchmarks.flux.controllers import CONTROLLERS, definitions
from benchmarks.flux.measure import measured
from benchmarks.flux.report import Sitting, as_markdown, as_svg
from benchmarks.flux.subjects import GIT_REPOSITORIES, SOURCE, objects, source
from benchmarks.operator.contenders import Unavailable
from benchmarks.operator.server import Server, install
from benchmarks.pages import load, machine, publish, tell
from tests.cluster import Cluster, NoCluster, provide

_RESTS = ("flux-10", "execloop")


def prepare(cluster: Cluster, sitting: Sitting) -> list[str]:
    """Install what the controllers need; return those that can run here."""
    missing, files = "", list[Path]()
    try:
        files += definitions()
    except Unavailable as reason:
        missing = str(reason)
    install(cluster, *files)
    found = []
    for name, (contender, _) in CONTROLLERS.items():
        try:
            if missing and name != "execloop":
                raise Unavailable(missing)
            contender.command(cluster)
        except Unavailable as reason:
            sitting.missing[name] = str(reason)
            tell(f"{name} is left out: {reason}")
        else:
            found.append(name)
    return found


async def sit(cluster: Cluster, names: list[str], sitting: Sitting) -> None:
    server = Server(cluster)
    content = archive(objects())
    try:
        with serving(content) as address:
            if len(names) > 1:
                made = await server.post(GIT_REPOSITORIES, source())
                made["status"] = source_status(content, address)
                await server.put(f"{GIT_REPOSITORIES}/{SOURCE}/status", made)
            for name in names:
                contender, subject = CONTROLLERS[name]
                found = await measured(server, contender, subject, sitting.number, rests=name in _RESTS)
                sitting.found[name] = found
                tell(f"{name}: all Ready after {found.seconds:.1f} s, {found.per_second:.1f} a second")
    finally:
        await server.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flux", description=__doc__.partition("\n")[0])
    parser.add_argument("--plans", type=int, default=200, metavar="N", help="how many of each; 200 if not given")
    parser.add_argument("--print", action="store_true", dest="only_print", help="write no page")
    given = parser.parse_args()
    sitting = Sitting(machine(), load(), given.plans)
    try:
        with provide() as cluster:
            asyncio.run(sit(cluster, prepare(cluster, sitting), sitting))
    except NoCluster as none:
        tell(str(none))
        return 1
    publish("flux", as_markdown(sitting), as_svg(sitting), only_print=given.only_print)
    return 0


if __name__ == "__main__":
    sys.exit(main())
