"""Plans that undo what they did before they go."""

import json
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.operating import Did, Operator, Plans, manifest

FINALIZER = "execloop.dev/teardown"
BACKOFF = {"initial": "100ms", "max": "300ms"}


def undoing(name: str = "a", parameters: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return manifest(
        name, "undoes", deletionPolicy="Teardown", parameters=parameters or {}, errorBackoff=BACKOFF, **spec
    )


def delete(plans: Plans, name: str = "a", *options: str) -> None:
    plans.kubectl("delete", "plan", name, *(options or ("--timeout=60s",)))


@pytest.mark.usefixtures("operator")
class TestTeardown:
    def test_what_it_did_is_undone_before_it_goes(self, plans: Plans, did: Did) -> None:
        plans.apply(undoing())
        plans.wait("a")
        assert plans.get("a")["metadata"]["finalizers"] == [FINALIZER]
        delete(plans)
        assert did("a") == ["a", "b", "try -a", "-a", "try -b", "-b"]

    def test_with_orphan_there_is_no_finalizer(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes"))
        plans.wait("a")
        assert "finalizers" not in plans.get("a")["metadata"]
        delete(plans)
        assert did("a") == ["a", "b"]

    def test_it_goes_away_with_the_policy(self, plans: Plans) -> None:
        plans.apply(undoing())
        plans.wait("a")
        plans.patch("a", deletionPolicy="Orphan")
        plans.until(lambda: "finalizers" not in plans.get("a")["metadata"], "the finalizer is gone")

    def test_one_that_was_taken_away_comes_back_before_the_next_task(self, plans: Plans) -> None:
        plans.apply(undoing())
        plans.wait("a")
        plans.kubectl("patch", "plan", "a", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
        plans.annotate("a", requestedAt="1")
        plans.until(lambda: plans.get("a")["metadata"].get("finalizers") == [FINALIZER], "it is back")

    def test_progress_and_errors_show_in_the_conditions(self, plans: Plans, did: Did) -> None:
        plans.apply(undoing(parameters={"undo_fails": 1}, sleepBetweenRuns="2s"))
        plans.wait("a")
        delete(plans, "a", "--wait=false")
        plans.until(lambda: plans.condition("a", "Reconciling") == ("True", "ProgressingWithRetry"), "the error shows")
        assert plans.condition("a") == ("False", "TearingDown")
        plans.kubectl("wait", "--for=delete", "plan/a", "--timeout=60s")
        assert {"-a", "-b"} <= set(did("a"))

    def test_a_spent_budget_is_told_and_the_world_still_observed(
        self, plans: Plans, did: Did, tmp_path: Any, namespace: str
    ) -> None:
        plans.apply(undoing(parameters={"undo_fails": 99}, errorsToTolerate=1, interval="1s"))
        plans.wait("a")
        delete(plans, "a", "--wait=false")
        plans.wait("a", "Stalled")
        assert plans.condition("a", "Stalled") == ("True", "TeardownFailed")
        with (tmp_path / f"{namespace}-a").open("a") as world:
            world.write("-a\n-b\n")
        plans.kubectl("wait", "--for=delete", "plan/a", "--timeout=60s")

    def test_the_annotation_lets_go_at_once(self, plans: Plans) -> None:
        plans.apply(undoing(parameters={"undo_fails": 99}, errorsToTolerate=0))
        plans.wait("a")
        delete(plans, "a", "--wait=false")
        plans.wait("a", "Stalled")
        plans.annotate("a", abandon="true")
        plans.kubectl("wait", "--for=delete", "plan/a", "--timeout=60s")

    def test_a_suspended_plan_is_torn_down_too(self, plans: Plans, did: Did) -> None:
        plans.apply(undoing(suspend=True))
        plans.until(lambda: plans.condition("a", "Suspended") == ("True", "Suspended"), "it is suspended")
        delete(plans)
        assert "-b" in did("a")

    def test_under_manual_the_teardown_waits_for_an_approval_of_its_own(self, plans: Plans, did: Did) -> None:
        plans.apply(undoing(approval="Manual"))
        plans.until(lambda: "pending" in plans.status("a"), "it awaits approval")
        before = plans.status("a")["pending"]["digest"]
        delete(plans, "a", "--wait=false")
        plans.until(lambda: plans.status("a")["pending"]["digest"] != before, "its teardown awaits one of its own")
        assert "-b" not in did("a")
        plans.annotate("a", approve=plans.status("a")["pending"]["digest"])
        plans.kubectl("wait", "--for=delete", "plan/a", "--timeout=60s")
        assert "-b" in did("a")

    def test_a_plan_without_teardown_is_refused_before_its_first_task(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "marks", deletionPolicy="Teardown"))
        plans.wait("a", "Stalled")
        assert plans.condition("a") == ("False", "NotSupported")
        assert did("a") == []
        assert "finalizers" not in plans.get("a")["metadata"]
        delete(plans)

    def test_a_namespace_that_goes_does_not_hang(self, plans: Plans, cluster: Cluster, namespace: str) -> None:
        plans.apply(undoing(parameters={"undo_fails": 99}))
        plans.wait("a")
        cluster.kubectl("delete", "namespace", namespace, "--timeout=60s")
        cluster.kubectl("create", "namespace", namespace)


def test_a_kill_in_the_teardown_goes_on_with_the_same_budget(plans: Plans, operator: Operator, did: Did) -> None:
    names = [f"n{number}" for number in range(12)]
    plans.apply(undoing(parameters={"names": names, "undo_seconds": 0.3}))
    plans.wait("a")
    delete(plans, "a", "--wait=false")
    plans.until(lambda: plans.condition("a") == ("False", "TearingDown"), "it is under way")
    before = plans.status("a")["execution"]
    operator.kill()
    operator.start()
    plans.until(lambda: json.dumps(did("a")).count("try -n0") == 1 and "-n1" in did("a"), "it goes on")
    assert plans.status("a")["execution"]["id"] == before["id"]
    plans.kubectl("wait", "--for=delete", "plan/a", "--timeout=30s")
