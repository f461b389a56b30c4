"""What is done to the operator, and how long it is until work goes on: one function for each fault."""

import json
import random
import resource
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.cluster import Cluster
from tests.cluster.cluster import wait_until
from tests.faults import ledger
from tests.faults.proxy import Asked, Proxy, everything, failure, shaky, watches_plans
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Operator, Plans, manifest, operating

PLANS = Path(__file__).parent / "plans"
_LEASE_SECONDS = 5
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    what: str
    """What the time is measured from and to."""
    seconds: list[float]
    account: ledger.Account
    counted_errors: int
    """What the status of the Plans holds, of the account's errors."""
    notes: list[str] = field(default_factory=list)


class Ground:
    """A namespace with Plans at work, and a folder for what they do."""

    def __init__(self, cluster: Cluster, folder: Path, stack: ExitStack) -> None:
        self.cluster, self.folder, self._stack = cluster, folder, stack
        self.namespace = f"trial-{secrets.token_hex(4)}"
        self.world = folder / "world"
        self.world.mkdir()
        cluster.kubectl("create", "namespace", self.namespace)
        self.plans = Plans(cluster, self.namespace)
        self._names: list[str] = []

    def operator(self, *options: str, kubeconfig: Path | None = None) -> tuple[Operator, Endpoints]:
        endpoints = self._stack.enter_context(Endpoints.reserved())
        folder = self.folder / f"operator-{endpoints.port}"
        folder.mkdir()
        arguments = (f"--plans={PLANS}", f"--health-port={endpoints.port}", *options)
        started = operating(self.cluster, [self.namespace], folder, *arguments, world=self.world, kubeconfig=kubeconfig)
        return self._stack.enter_context(started), endpoints

    def work(self, number: int, *, steps: int, seconds: float = 0.2, failing: int = 0, timeout: str = "0s") -> None:
        spec: dict[str, Any] = {
            "parameters": {"steps": steps, "seconds": seconds, "failing": failing},
            "errorsToTolerate": -1,
            "errorBackoff": {"initial": "100ms", "max": "300ms"},
            "sleepBetweenRuns": "100ms",
            "executionTimeout": timeout,
        }
        names = [f"work-{n}" for n in range(number)]
        self.plans.apply(*(manifest(name, "ledger", **spec) for name in names))
        self._names += names

    def begins(self, since: float) -> float:
        """Waits until a step begins after that moment; seconds until it did."""
        begun: Callable[[], float | None] = partial(ledger.first_begin, self.world, since)
        wait_until(lambda: begun() is not None, seconds=_PATIENCE, what="a step to begin")
        return (begun() or since) - since

    def probe(self) -> float:
        """Seconds from a new Plan to its Ready=True."""
        name, began = f"probe-{secrets.token_hex(3)}", time.monotonic()
        self.plans.apply(manifest(name, "ledger"))
        self._names.append(name)
        self.plans.wait(name, seconds=int(_PATIENCE))
        return time.monotonic() - began

    def outcome(self, name: str, what: str, seconds: list[float], *notes: str) -> Outcome:
        """Waits for all Plans first."""
        for each in self._names:
            self.plans.wait(each, seconds=int(_PATIENCE))
        counted = sum(self.plans.status(each)["execution"].get("errors", 0) for each in self._names)
        return Outcome(name, what, seconds, ledger.account(self.world), counted, list(notes))


@contextmanager
def ground(cluster: Cluster, folder: Path) -> Iterator[Ground]:
    folder.mkdir()
    with ExitStack() as stack:
        yield Ground(cluster, folder, stack)


def ready(endpoints: Endpoints) -> None:
    wait_until(lambda: endpoints.ready() == "ok", seconds=_PATIENCE, what="the operator to be ready")


def killed(cluster: Cluster, folder: Path, times: int = 30, seed: int = 1) -> Outcome:
    moments = random.Random(seed)
    with ground(cluster, folder) as place:
        operator, endpoints = place.operator()
        ready(endpoints)
        place.work(6, steps=15 * max(times, 3), failing=10)
        place.begins(0)
        seconds = []
        for _ in range(times):
            time.sleep(moments.uniform(0.0, 3.0))
            operator.kill()
            since = time.time()
            operator.start()
            seconds.append(place.begins(since))
        return place.outcome(
            f"`kill -9` at {times} moments, started again at once", "from the kill to the next step", seconds
        )


def stopped(cluster: Cluster, folder: Path, times: int = 3) -> Outcome:
    """The leader is stopped for longer than its Lease lasts, and continued when another leads."""
    with ground(cluster, folder) as place:
        election = ("--leader-elect", f"--lease-namespace={place.namespace}", f"--lease-duration={_LEASE_SECONDS}s")
        replicas = [place.operator(*election) for _ in range(2)]
        for _, endpoints in replicas:
            ready(endpoints)
        place.work(4, steps=100 * times)
        place.begins(0)
        seconds = []
        exits = []
        for _ in range(times):
            leader = next(op for op, endpoints in replicas if endpoints.metric("execloop_leader") == 1)
            leader.process.send_signal(signal.SIGSTOP)
            since = time.time()
            time.sleep(0.3)  # a step may just have begun
            seconds.append(place.begins(since + 0.3) + 0.3)
            leader.process.send_signal(signal.SIGCONT)
            exits.append(leader.process.wait(timeout=60))
            leader.start()
        note = f"each stopped leader left with code {set(exits)}" if set(exits) != {1} else ""
        return place.outcome(
            f"leader stopped (SIGSTOP) beyond its Lease of {_LEASE_SECONDS} s, continued, {times} times",
            "from the stop to the other's first step",
            seconds,
            *filter(None, [note]),
        )


def api_server_away(cluster: Cluster, folder: Path, away: float, times: int = 1) -> Outcome:
    with ground(cluster, folder) as place:
        _, endpoints = place.operator()
        ready(endpoints)
        place.work(4, steps=int(60 + 5 * away * times), failing=10)
        place.begins(0)
        seconds = []
        for _ in range(times):
            cluster.stop_api_server()
            time.sleep(away)
            cluster.start_api_server()
            seconds.append(place.probe())
        name = f"API server away for {away:g} s" if away else f"API server restarted {times} times"
        return place.outcome(name, "from its return to a new Plan's Ready", seconds)


def etcd_restarted(cluster: Cluster, folder: Path, times: int = 3) -> Outcome:
    with ground(cluster, folder) as place:
        _, endpoints = place.operator()
        ready(endpoints)
        place.work(4, steps=100, failing=10)
        place.begins(0)
        seconds = []
        for _ in range(times):
            cluster.restart_etcd()
            seconds.append(place.probe())
        return place.outcome(
            f"etcd killed and restarted {times} times", "from its return to a new Plan's Ready", seconds
        )


def bad_network(cluster: Cluster, folder: Path, seconds: float = 60.0, seed: int = 1) -> Outcome:
    share = random.Random(seed)
    with ground(cluster, folder) as place, Proxy.before(cluster, folder) as proxy:
        _, endpoints = place.operator(kubeconfig=proxy.kubeconfig)
        ready(endpoints)
        with proxy.failing(everything, shaky(2.0, lambda: share.random() < 0.05)) as met:
            place.work(6, steps=20, failing=10)
            proxy.cut()
            until, found = time.monotonic() + seconds, []
            while time.monotonic() < until:
                found.append(place.probe())
        return place.outcome(
            "each request 2 s late, 5 % of them reset", "from a new Plan to its Ready", found, f"{met.hits} requests"
        )


def silent_watch(cluster: Cluster, folder: Path) -> Outcome:
    with ground(cluster, folder) as place, Proxy.before(cluster, folder) as proxy:
        _, endpoints = place.operator(kubeconfig=proxy.kubeconfig)
        ready(endpoints)
        wait_until(lambda: proxy.under_way(watches_plans) > 0, seconds=30, what="the watch")
        proxy.silence(watches_plans)
        found = place.probe()
        return place.outcome("a watch that goes silent for ever", "from a new Plan to its Ready", [found])


def _with_token(token: str, asked: Asked) -> bool:
    return asked.token == token


def expired_token(cluster: Cluster, folder: Path, times: int = 3) -> Outcome:
    """The token of the file is refused; 10 s later a new one stands in it."""
    with ground(cluster, folder) as place, Proxy.before(cluster, folder) as proxy:
        account = f"{place.namespace}:default"
        cluster.kubectl(
            "create",
            "clusterrolebinding",
            place.namespace,
            "--clusterrole=cluster-admin",
            f"--serviceaccount={account}",
        )
        create = partial(place.plans.kubectl, "create", "token", "default")
        token = folder / "token"
        token.write_text(create())
        config = json.loads(proxy.kubeconfig.read_text())
        config["users"][0]["user"] = {"tokenFile": str(token)}
        proxy.kubeconfig.write_text(json.dumps(config))
        _, endpoints = place.operator(kubeconfig=proxy.kubeconfig)
        ready(endpoints)
        place.work(4, steps=100, failing=10)
        place.begins(0)
        seconds = []
        for number in range(times):
            old = token.read_text().strip()
            with proxy.failing(partial(_with_token, old), failure(401, "Unauthorized")):
                proxy.cut()
                time.sleep(10)
                token.write_text(create(f"--duration={3600 + number}s"))
                seconds.append(place.probe())
        return place.outcome(
            f"token expired, a new one in the file 10 s later, {times} times",
            "from then to a new Plan's Ready",
            seconds,
        )


def full_disk(cluster: Cluster, folder: Path) -> Outcome:
    """No byte can be added to the operator's log."""
    with ground(cluster, folder) as place:
        operator, endpoints = place.operator("--log-level=debug")
        ready(endpoints)
        size = 1 << 20
        resource.prlimit(operator.process.pid, resource.RLIMIT_FSIZE, (size, size))
        with operator.log.open("ab") as log:
            log.write(b"\n" * size)
        place.work(4, steps=40, failing=10)
        found = [place.probe() for _ in range(5)]
        note = "" if operator.process.poll() is None else f"the operator exited with {operator.process.returncode}"
        return place.outcome("disk full for logs", "from a new Plan to its Ready", found, *filter(None, [note]))
