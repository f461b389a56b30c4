"""Plans that end the operator's process: found out and stalled, while their neighbours converge."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Did, Operator, Plans, manifest, operating

NEIGHBOURS = [f"neighbour-{number}" for number in range(10)]
LIVES = 8
"""An operator that dies more often is in a crash loop."""
STARTUP = 15.0
"""Seconds after a start in which a probe is not asked."""
LEASE_LOST = 1
"""The exit code of an operator that leaves by itself, as on a machine that is too busy to renew the Lease."""
TURNS = 180.0
"""Seconds in which ten suspects have had their turns: each waits up to 30 s for Plans that are never done."""


class Kubelet:
    """Starts an operator again when it has ended, as a container is, and ends one whose probe gets no answer."""

    def __init__(self, *operators: Operator, probe: Endpoints | None = None) -> None:
        self.operators, self.deaths = operators, 0
        self._probe, self._began = probe, time.monotonic()

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 150.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            for operator in self.operators:
                if operator.process.poll() is not None:
                    self.deaths += operator.process.returncode != LEASE_LOST
                    assert self.deaths <= LIVES, operator.said()
                    operator.start()
                    self._began = time.monotonic()
                elif self._probe is not None:
                    self._look_after(operator, self._probe)
            time.sleep(0.2)

    def _look_after(self, operator: Operator, probe: Endpoints) -> None:
        if time.monotonic() - self._began > STARTUP and probe.healthy() != "ok":
            operator.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                operator.process.wait(timeout=1)
            operator.process.kill()
            operator.process.wait()


def ready(plans: Plans, names: list[str]) -> bool:
    return all(plans.condition(name)[0] == "True" for name in names)


def is_stalled(plans: Plans, name: str = "culprit") -> bool:
    return plans.condition(name, "Stalled") == ("True", "PlanCrashes")


def suspects(plans: Plans) -> dict[str, object]:
    lease = json.loads(plans.kubectl("get", "lease", "execloop", "--output=json"))
    text = lease["metadata"].get("annotations", {}).get("execloop.dev/suspects", "{}")
    found: dict[str, object] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("plan", "parameters"),
    [
        ("crashes", {"how": "exit"}),
        ("crashes", {"how": "kill", "seconds": 0.5}),
        ("crashes", {"how": "fault"}),
        ("crashes-in-create", {"how": "exit"}),
    ],
    ids=["exit", "killed for memory", "fault in native code", "in an async create"],
)
def test_the_neighbours_converge_and_the_culprit_stalls(
    operator: Operator, plans: Plans, did: Did, namespace: str, plan: str, parameters: dict[str, object]
) -> None:
    kubelet = Kubelet(operator)
    neighbours = [manifest(name, "marks", parameters={"seconds": 0.2}) for name in NEIGHBOURS]
    plans.apply(manifest("culprit", plan, parameters=parameters), *neighbours)
    kubelet.until(lambda: ready(plans, NEIGHBOURS) and is_stalled(plans), "the neighbours are done")
    assert 3 <= kubelet.deaths <= 5
    assert len(did("culprit")) == kubelet.deaths
    assert f"Plan {namespace}/culprit: its code ended the process, 3 of 3 times" in operator.said()
    assert "execloop reconcile" in plans.message("culprit", "Stalled")


def test_a_plan_that_stalled_so_is_left_alone_until_its_inputs_change(
    operator: Operator, plans: Plans, did: Did
) -> None:
    kubelet = Kubelet(operator)
    plans.apply(manifest("culprit", "crashes", interval="1s"))
    kubelet.until(lambda: is_stalled(plans), "it has stalled")
    crashes = len(did("culprit"))
    assert crashes == 3  # it was alone
    operator.terminate()
    operator.start()
    plans.apply(manifest("other", "marks"))
    plans.wait("other")
    time.sleep(2)
    assert len(did("culprit")) == crashes
    plans.patch("culprit", parameters={"how": "none"})
    plans.wait("culprit")
    assert plans.condition("culprit", "Stalled") == ("", "")


def test_one_that_is_asked_for_runs_again(operator: Operator, plans: Plans, did: Did) -> None:
    kubelet = Kubelet(operator)
    plans.apply(manifest("culprit", "crashes"))
    kubelet.until(lambda: is_stalled(plans), "it has stalled")
    plans.annotate("culprit", requestedAt="now")
    kubelet.until(lambda: len(did("culprit")) == 6 and is_stalled(plans), "it has stalled once more")
    assert kubelet.deaths == 6


@pytest.fixture
def replicas(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[list[Operator]]:
    election = ("--leader-elect", f"--lease-namespace={namespace}", "--lease-duration=10s")
    with ExitStack() as stack:
        folders = [tmp_path / "first", tmp_path / "second"]
        for folder in folders:
            folder.mkdir()
        yield [
            stack.enter_context(operating(cluster, [namespace], folder, *election, world=tmp_path))
            for folder in folders
        ]


def test_of_two_replicas_each_knows_whom_the_other_suspects(replicas: list[Operator], plans: Plans) -> None:
    kubelet = Kubelet(*replicas)
    neighbours = [manifest(name, "marks", parameters={"seconds": 0.2}) for name in NEIGHBOURS]
    plans.apply(manifest("culprit", "crashes"), *neighbours)
    kubelet.until(lambda: ready(plans, NEIGHBOURS) and is_stalled(plans), "the neighbours are done")
    assert kubelet.deaths <= 6  # one more: a standby may lead before the one that died has started again and reported
    uid = plans.get("culprit")["metadata"]["uid"]
    plans.until(lambda: list(suspects(plans)) == [uid], "the neighbours are cleared")


def test_a_plan_that_hangs_the_interpreter_is_found_out_by_the_kills_of_the_liveness_probe(
    cluster: Cluster, plans: Plans, namespace: str, tmp_path: Path
) -> None:
    """SIGTERM finds a process that cannot react: that is no stop in order."""
    with Endpoints.reserved() as endpoints:
        port = f"--health-port={endpoints.port}"
        with operating(cluster, [namespace], tmp_path, port) as operator:
            kubelet = Kubelet(operator, probe=endpoints)
            plans.apply(manifest("culprit", "crashes", parameters={"how": "hang"}), manifest("neighbour", "marks"))
            kubelet.until(lambda: ready(plans, ["neighbour"]) and is_stalled(plans), "the neighbour is done")


def test_a_stop_in_the_midst_of_a_task_accuses_nobody(operator: Operator, plans: Plans, did: Did) -> None:
    plans.apply(manifest("a", "marks", parameters={"seconds": 3}))
    plans.until(lambda: did("a") == ["try 0"], "its task has begun")
    operator.terminate()
    operator.start()
    plans.wait("a")
    assert "ended without warning" not in operator.said()


@pytest.mark.timeout(1800)  # thirty starts, on a machine that may be busy with other tests
def test_thirty_kills_from_outside_accuse_nobody(
    cluster: Cluster, crd: None, plans: Plans, namespace: str, tmp_path: Path, did: Did
) -> None:
    chance = random.Random(9)
    plans.apply(*(manifest(name, "pulses", sleepBetweenRuns="100ms") for name in NEIGHBOURS))
    with operating(cluster, [namespace], tmp_path) as operator:
        for _ in range(30):
            lines = sum(len(did(name)) for name in NEIGHBOURS)
            plans.until(lambda lines=lines: sum(len(did(name)) for name in NEIGHBOURS) > lines, "it works", TURNS)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 1.5))
            operator.kill()
            operator.start()
        before = {name: len(did(name)) for name in NEIGHBOURS}
        plans.until(lambda: all(len(did(name)) > before[name] for name in NEIGHBOURS), "all work", seconds=TURNS)
        assert operator.said().count("ended without warning") >= 15
    assert "3 of 3 times" not in operator.said()
    assert not [name for name in NEIGHBOURS if is_stalled(plans, name)]


def test_kills_from_outside_do_not_accuse_the_only_plan_when_its_work_goes_forward(
    operator: Operator, plans: Plans, did: Did
) -> None:
    plans.apply(manifest("climber", "climbs"))
    for _ in range(5):
        lines = len(did("climber"))
        plans.until(lambda lines=lines: len(did("climber")) > lines, "it works", TURNS)  # type: ignore[misc]
        operator.kill()
        operator.start()
    plans.wait("climber")
    assert operator.said().count("ended without warning") == 5
    assert sorted(map(int, did("climber"))) == list(range(20))
