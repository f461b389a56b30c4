"""1,000 Plans that fail, drift, are edited, deleted and made again, for minutes: does the operator's process grow?

python -m tests.faults.soak --minutes 10     write docs/benchmarks/soak.md and .svg; exit 1 when it grew
"""

import argparse
import json
import os
import platform
import random
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cluster import Cluster, provide
from tests.faults import soak_chart
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Operator, Plans, manifest, operating

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks" / "soak.md"
_PLANS = Path(__file__).parent / "plans"
_NUMBER = 1000
_MAPS = 100
_STALLED = 50
_EVERY = 5.0
_WARM_UP = 0.35
"""The share of the time after which nothing may grow any more."""
_ALLOWED = 0.05
_HANDFUL = 2


class Sample(NamedTuple):
    """Of the operator's process. `age`: seconds since all Plans were made."""

    age: float
    threads: int
    descriptors: int
    resident_mib: float


@dataclass(frozen=True, slots=True)
class Growth:
    what: str
    before: float
    after: float

    @property
    def flat(self) -> bool:
        return self.after <= self.before * (1 + _ALLOWED) or self.after - self.before <= _HANDFUL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--print", action="store_true", dest="only_print", help="write no page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, provide() as cluster:
        crd = f"--filename={ROOT / 'crds' / 'execloop.dev_plans.yaml'}"
        cluster.kubectl("apply", "--server-side", crd)
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", crd)
        samples, counts = soak(cluster, Path(folder), options.minutes * 60)
    growths = judge(samples)
    page = _as_markdown(options.minutes, growths, counts)
    sys.stdout.write(page)
    if not options.only_print:
        PAGE.write_text(page)
        PAGE.with_suffix(".svg").write_text(soak_chart.as_svg(samples, samples[-1].age * _WARM_UP))
    return 0 if all(growth.flat for growth in growths) else 1


def soak(cluster: Cluster, folder: Path, seconds: float) -> tuple[list[Sample], dict[str, float]]:
    with Endpoints.reserved() as endpoints:
        options = (f"--plans={_PLANS}", f"--health-port={endpoints.port}")
        with operating(cluster, ["default"], folder, *options) as operator:
            plans = Plans(cluster)
            plans.until(lambda: endpoints.ready() == "ok", "the operator is ready", 120)
            samples = _live(operator, Unrest(plans, folder), seconds)
            assert operator.process.poll() is None, f"the operator ended: {operator.said()[-2000:]}"
            return samples, {
                "reconciles": _total(endpoints, "execloop_reconciles_total"),
                "requests to the API server": _total(endpoints, "execloop_api_requests_total"),
                "faults of the operator": operator.said().count("an error of the operator"),
            }


def _live(operator: Operator, unrest: "Unrest", seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    unrest.begin()
    began = time.monotonic()
    while (age := time.monotonic() - began) < seconds:
        if not samples or age - samples[-1].age >= _EVERY:
            samples.append(_sample(operator.process.pid, age))
        unrest.stir()
        time.sleep(0.5)
    return samples


class Unrest:
    """What users, other controllers and the world do meanwhile."""

    def __init__(self, plans: Plans, world: Path, seed: int = 1) -> None:
        self._plans, self._world, self._random = plans, world, random.Random(seed)
        self._editions = dict.fromkeys(range(_NUMBER), 0)

    def begin(self) -> None:
        for first in range(0, _NUMBER, 250):
            self._plans.apply(*(self._manifest(number) for number in range(first, first + 250)))

    def stir(self) -> None:
        for number in self._random.sample(range(_MAPS, _NUMBER), k=5):  # found at the interval
            (self._world / f"p{number}.{self._editions[number]}").unlink(missing_ok=True)
        edited, made_again = self._random.sample(range(_NUMBER), k=5), self._random.randrange(_NUMBER)
        for number in edited:
            self._editions[number] += 1
        self._plans.kubectl("delete", "plan", f"p{made_again}", "--wait=false", check=False)
        self._plans.apply(*(self._manifest(number) for number in (*edited, made_again)))
        patch = json.dumps({"data": {"edition": "drifted"}})
        name = f"p{self._random.randrange(_MAPS)}"
        self._plans.kubectl("patch", "configmap", name, "--type=merge", f"--patch={patch}", check=False)

    def _manifest(self, number: int) -> dict[str, Any]:
        plan = "soak-map" if number < _MAPS else "soak-async" if number % 2 else "soak"
        hopeless = _MAPS <= number < _MAPS + _STALLED
        parameters = {"fails": 1.0 if hopeless else 0.1, "edition": self._editions[number]}
        backoff = {"initial": "1s", "max": "5s"}
        return manifest(f"p{number}", plan, parameters=parameters, interval="30s", errorBackoff=backoff)


def _sample(process: int, age: float) -> Sample:
    proc = Path(f"/proc/{process}")
    status = dict(re.findall(r"^(\w+):\s+(\d+)", (proc / "status").read_text(), re.MULTILINE))
    descriptors = len(list((proc / "fd").iterdir()))
    return Sample(age, int(status["Threads"]), descriptors, int(status["VmRSS"]) / 1024)


def judge(samples: list[Sample]) -> list[Growth]:
    """The third after the warm-up against the last."""
    warm = [sample for sample in samples if sample.age >= samples[-1].age * _WARM_UP]
    third = max(1, len(warm) // 3)
    columns: dict[str, Callable[[Sample], float]] = {
        "threads": lambda sample: sample.threads,
        "descriptors": lambda sample: sample.descriptors,
        "memory, MiB": lambda sample: sample.resident_mib,
    }
    return [
        Growth(what, fmean(map(column, warm[:third])), fmean(map(column, warm[-third:])))
        for what, column in columns.items()
    ]


def _total(endpoints: Endpoints, name: str) -> float:
    lines = (line.rpartition(" ") for line in endpoints.served().splitlines() if line.startswith(name))
    return sum(float(value) for _, _, value in lines)


def _as_markdown(minutes: float, growths: list[Growth], counts: dict[str, float]) -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, shared with the API server and its etcd"
    rows = "\n".join(f"| {g.what} | {g.before:.1f} | {g.after:.1f} | {g.after / g.before - 1:+.1%} |" for g in growths)
    told = ", ".join(f"{value:,.0f} {what}" for what, value in counts.items())
    return f"""# Whether the operator grows

{_NUMBER:,} Plans for {minutes:g} minutes: a tenth of all attempts fail, {_STALLED} Plans fail for ever and stall,
{_MAPS} keep a ConfigMap. About once a second files vanish and a ConfigMap is changed by another hand,
five Plans are edited, and one is deleted and made again. {machine}.
Made by `make soak`.

![Threads, descriptors and memory of the operator](soak.svg)

| | after the warm-up | at the end | |
|---|---:|---:|---:|
{rows}

Means of the first and the last third of the time after the warm-up ({_WARM_UP:.0%} of the whole). `make soak` fails
when one of them grows by more than {_ALLOWED:.0%} and {_HANDFUL}. In that time: {told}.
"""


if __name__ == "__main__":
    sys.exit(main())
