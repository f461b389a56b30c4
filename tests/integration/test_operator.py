"""The operator on a real API server: what becomes of a Plan."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from execloop.resource.fields import ended_executions
from tests.cluster import Cluster
from tests.integration.operating import Did, Operator, Plans, manifest, operating

BACKOFF = {"initial": "100ms", "max": "300ms"}


@pytest.mark.usefixtures("operator")
class TestConvergence:
    def test_tasks_run_until_none_remain_and_kubectl_wait_sees_it(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 2}))
        plans.wait("a")
        assert did("a") == ["try 0", "0", "try 1", "1"]
        status = plans.status("a")
        assert (status["observedGeneration"], status["execution"]["result"]) == (1, "Converged")

    def test_errors_are_tolerated_with_a_backoff_that_can_be_seen(self, plans: Plans) -> None:
        backoff = {"initial": "1500ms", "max": "2s"}
        plans.apply(manifest("a", "marks", parameters={"fails": 1}, errorBackoff=backoff))
        plans.until(lambda: plans.condition("a") == ("False", "TasksFailed"), "an error shows")
        assert plans.condition("a", "Reconciling") == ("True", "ProgressingWithRetry")
        assert "nextRunAt" in plans.status("a")
        plans.wait("a")
        assert plans.status("a")["execution"]["errors"] == 1

    def test_a_spent_budget_stalls_and_the_world_is_still_observed(
        self, plans: Plans, did: Did, tmp_path: Path, namespace: str
    ) -> None:
        spec = {"errorsToTolerate": 1, "errorBackoff": BACKOFF, "interval": "1s"}
        plans.apply(manifest("a", "marks", parameters={"fails": 99}, **spec))
        plans.wait("a", "Stalled")
        assert plans.condition("a", "Stalled") == ("True", "ErrorsExceeded")
        tries = len(did("a"))
        with (tmp_path / f"{namespace}-a").open("a") as world:
            world.write("0\n")  # somebody mends the world by hand
        plans.wait("a")
        assert len(did("a")) == tries + 1

    def test_changed_parameters_lift_a_stall(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks", parameters={"fails": 1}, errorsToTolerate=0))
        plans.wait("a", "Stalled")
        plans.patch("a", parameters={"fix": "x"})
        plans.wait("a")
        assert [one["result"] for one in ended_executions(plans.get("a"))] == ["Converged", "ErrorsExceeded"]

    def test_drift_is_repaired_within_seconds(self, plans: Plans, kubectl: Callable[..., str]) -> None:
        plans.apply(manifest("a", "maps", parameters={"count": 1}))
        plans.wait("a")
        kubectl("patch", "configmap", "a-0", "--type=merge", '--patch={"data":{"plan":"spoilt"}}')
        plans.until(
            lambda: kubectl("get", "configmap", "a-0", "--output=jsonpath={.data.plan}") == "a", "it is repaired"
        )
        plans.until(lambda: "DriftRepaired" in kubectl("get", "events"), "an Event tells of it")

    def test_drift_is_repaired_at_the_interval(self, plans: Plans, tmp_path: Path, namespace: str, did: Did) -> None:
        plans.apply(manifest("a", "marks", interval="1s"))
        plans.wait("a")
        (tmp_path / f"{namespace}-a").unlink()
        plans.until(lambda: "0" in did("a"), "the mark is there again")

    def test_a_change_of_the_spec_supersedes_the_run_under_way(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 50, "seconds": 0.2}))
        plans.until(lambda: len(did("a")) > 2, "the run is under way")
        plans.patch("a", parameters={"count": 1, "seconds": 0, "fix": "new"})
        plans.wait("a")
        assert "new0" in did("a")
        assert "49" not in did("a")
        assert [one["result"] for one in ended_executions(plans.get("a"))] == ["Converged", "Superseded"]

    def test_a_suspended_plan_rests_and_goes_on_with_the_same_execution(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 10, "seconds": 0.2}))
        plans.until(lambda: len(did("a")) > 2, "the run is under way")
        plans.patch("a", suspend=True)
        plans.until(lambda: plans.condition("a", "Suspended")[0] == "True", "it is suspended")
        before, done = plans.status("a")["execution"], did("a")
        assert "pausedSince" in before
        plans.patch("a", suspend=False)
        plans.wait("a")
        after = plans.status("a")["execution"]
        assert (after["id"], len(did("a"))) == (before["id"], 20)
        assert done == did("a")[: len(done)]
        assert after["paused"] > 0

    def test_a_request_for_a_reconcile_begins_an_execution(self, plans: Plans, kubectl: Callable[..., str]) -> None:
        plans.apply(manifest("a", "marks"))
        plans.wait("a")
        first = plans.status("a")["execution"]["id"]
        kubectl("annotate", "plan", "a", "execloop.dev/requestedAt=now")
        plans.until(lambda: plans.status("a").get("lastHandledReconcileAt") == "now", "the request is handled")
        plans.wait("a")
        assert plans.status("a")["execution"]["id"] != first

    def test_a_plan_deleted_during_its_run_stops_at_the_next_task(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 99, "seconds": 0.2}))
        plans.until(lambda: len(did("a")) > 2, "the run is under way")
        plans.kubectl("delete", "plan", "a", "--timeout=60s")
        plans.apply(manifest("b", "marks"))
        plans.wait("b")
        assert len(did("a")) < 50

    def test_blocking_code_has_the_official_client(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "official"))
        plans.wait("a")
        assert "api_client" in did("a")[0]


@pytest.mark.usefixtures("operator")
class TestMistakes:
    @pytest.mark.parametrize(
        ("plan", "spec", "reason", "message"),
        [
            ("nosuch", {}, "UnknownPlan", "known plans: "),
            (
                "marks",
                {"parameters": {"count": 0}},
                "InvalidParameters",
                "parameters.count: Input should be greater than 0",
            ),
            ("marks", {"deletionPolicy": "Teardown"}, "NotSupported", "no teardown()"),
            ("fatal", {}, "FatalError", "no attempt can help"),
            ("exits", {}, "FatalError", "SystemExit"),
            ("rubbish", {}, "FatalError", "'rubbish'"),
            ("unmakeable", {"errorsToTolerate": 0}, "ErrorsExceeded", "the world is unreachable"),
            ("blocks", {"executionTimeout": "300ms"}, "ExecutionTimeout", "0.3 seconds"),
        ],
    )
    def test_a_mistake_stalls_its_own_plan_with_a_precise_reason(
        self, plans: Plans, plan: str, spec: dict[str, Any], reason: str, message: str
    ) -> None:
        plans.apply(manifest("bad", plan, **spec), manifest("good", "marks"))
        plans.wait("bad", "Stalled")
        assert plans.condition("bad") == ("False", reason)
        assert message in plans.message("bad")
        plans.wait("good")

    def test_async_code_that_blocks_its_loop_is_named_and_harms_no_other(
        self, plans: Plans, operator: Operator
    ) -> None:
        plans.apply(manifest("bad", "blocks-loop"))
        plans.until(lambda: "bad blocks its event loop" in operator.said(), "it is named")
        plans.apply(manifest("good", "maps"))
        plans.wait("good")

    def test_a_module_that_cannot_be_imported_is_reported(self, plans: Plans, operator: Operator) -> None:
        plans.apply(manifest("good", "marks"))
        plans.wait("good")
        assert "this module cannot be imported" in operator.said()


class TestRestart:
    def test_a_kill_in_a_run_goes_on_with_the_same_execution(self, plans: Plans, operator: Operator, did: Did) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 20, "seconds": 0.3}))
        plans.until(lambda: "execution" in plans.status("a"), "progress is written")
        before = plans.status("a")["execution"]
        operator.kill()
        operator.start()
        plans.wait("a")
        after = plans.status("a")["execution"]
        assert (after["id"], after["startedAt"]) == (before["id"], before["startedAt"])
        assert {str(number) for number in range(20)} <= set(did("a"))

    def test_a_kill_in_a_backoff_keeps_the_errors_and_the_time_of_the_next_run(
        self, plans: Plans, operator: Operator, did: Did
    ) -> None:
        plans.apply(manifest("a", "marks", parameters={"fails": 9}, errorBackoff={"initial": "1h", "max": "1h"}))
        plans.until(lambda: plans.condition("a") == ("False", "TasksFailed"), "an error shows")
        before = plans.status("a")
        operator.kill()
        operator.start()
        plans.apply(manifest("b", "marks"))
        plans.wait("b")
        assert plans.status("a") == before
        assert len(did("a")) == 1

    def test_sigterm_saves_what_was_done_and_exits_with_0(self, plans: Plans, operator: Operator) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 99, "seconds": 0.2}))
        plans.until(lambda: "execution" in plans.status("a"), "progress is written")
        assert operator.terminate() == 0
        assert plans.status("a")["execution"]["runs"] == 1
        assert "Traceback" not in operator.said()

    @pytest.mark.parametrize("plan", ["blocks", "blocks-in-threads"])
    def test_blocked_plan_code_does_not_hold_the_exit_up(self, plans: Plans, operator: Operator, plan: str) -> None:
        plans.apply(manifest("a", plan))
        plans.until(lambda: "execution" in plans.status("a"), "the run is under way")
        assert operator.terminate() == 0


def test_two_hundred_plans_at_once_converge(plans: Plans, operator: Operator, kubectl: Callable[..., str]) -> None:
    plans.apply(*(manifest(f"p{number}", "marks") for number in range(200)))
    kubectl("wait", "--for=condition=Ready", "plan", "--all", "--timeout=60s")


def test_a_missing_crd_is_said_in_one_line_and_waited_for(own_cluster: Cluster, tmp_path: Path) -> None:
    with operating(own_cluster, [], tmp_path) as operator:
        plans = Plans(own_cluster)
        plans.until(lambda: "the CRD of Plans is not installed" in operator.said(), "it says so")
        own_cluster.kubectl("apply", "--server-side", f"--filename={Path(__file__).parents[2] / 'crds'}")
        plans.until(lambda: "watching Plans" in operator.said(), "it goes on")
        plans.apply(manifest("a", "marks"))
        plans.wait("a")
        assert "Traceback" not in operator.said()


def test_an_unreachable_api_server_is_waited_for(own_cluster: Cluster, tmp_path: Path) -> None:
    own_cluster.stop_api_server()
    with operating(own_cluster, [], tmp_path) as operator:
        plans = Plans(own_cluster)
        plans.until(lambda: "trying again" in operator.said(), "it says so")
        own_cluster.start_api_server()
        plans.until(lambda: "the CRD of Plans is not installed" in operator.said(), "it reached the server")
        assert operator.said().count("trying again") == 2
        assert "Traceback" not in operator.said()


def test_a_quick_convergence_is_one_write(plans: Plans, operator: Operator, tmp_path: Path) -> None:
    """Also with the default pause between two runs."""
    plans.apply(manifest("first", "marks"))
    plans.wait("first")
    with plans.watched(tmp_path / "versions") as seen:
        plans.apply(manifest("a", "marks"))
        plans.wait("a")
        time.sleep(1)
        assert len([line for line in seen() if line.startswith("a ")]) == 2  # made, and Ready


def test_an_idle_operator_writes_nothing(plans: Plans, operator: Operator, tmp_path: Path) -> None:
    """For 30 s in which each Plan is observed many times."""
    names = [f"p{number}" for number in range(5)]
    plans.apply(*(manifest(name, "maps", interval="2s") for name in names))
    for name in names:
        plans.wait(name)
    time.sleep(2)
    with plans.watched(tmp_path / "versions") as seen:
        plans.until(lambda: len(seen()) == len(names), "the watch has begun")
        time.sleep(30)
        assert len(seen()) == len(names)


def test_what_a_run_came_to_outlives_an_absence_of_the_api_server(own_cluster: Cluster, tmp_path: Path) -> None:
    own_cluster.kubectl("apply", "--server-side", f"--filename={Path(__file__).parents[2] / 'crds'}")
    with operating(own_cluster, [], tmp_path) as operator:
        plans = Plans(own_cluster)
        plans.until(lambda: "watching Plans" in operator.said(), "it has begun")
        plans.apply(manifest("a", "marks", parameters={"fails": 1, "seconds": 3}, errorBackoff=BACKOFF))
        world = tmp_path / "default-a"
        plans.until(world.exists, "the run is under way")
        own_cluster.stop_api_server()
        plans.until(lambda: "trying again" in operator.said(), "the result could not be written")
        own_cluster.start_api_server()
        plans.wait("a")
        assert world.read_text().split("\n")[:-1] == ["try 0", "try 0", "0"]
        assert plans.status("a")["execution"]["errors"] == 1
