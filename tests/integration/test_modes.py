"""Once, Preview, parallelism, and plans that do not get on."""

import json
from pathlib import Path

import pytest

from tests.integration.operating import Did, Operator, Plans, manifest

pytestmark = pytest.mark.usefixtures("operator")


class TestOnce:
    def test_what_converged_once_rests_whatever_the_interval_says(
        self, plans: Plans, did: Did, tmp_path: Path, namespace: str
    ) -> None:
        plans.apply(manifest("a", "marks", mode="Once", interval="1s"), manifest("b", "marks", interval="1s"))
        plans.wait("a")
        plans.wait("b")
        for name in "ab":
            (tmp_path / f"{namespace}-{name}").unlink()
        plans.until(lambda: "0" in did("b"), "the other mends what is gone")
        assert did("a") == []

    def test_changed_inputs_converge_it_again(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "marks", mode="Once"))
        plans.wait("a")
        plans.patch("a", parameters={"count": 2})
        plans.until(lambda: "1" in did("a"), "the new inputs are worked on")
        plans.until(lambda: plans.status("a")["observedGeneration"] == 2, "they are done")
        assert plans.condition("a") == ("True", "Converged")

    def test_its_time_to_live_begins_when_it_has_finished(self, plans: Plans) -> None:
        plans.apply(
            manifest("done", "marks", mode="Once", ttlAfterFinished="1s"),
            manifest("stalled", "fatal", mode="Once", ttlAfterFinished="1s"),
            manifest("kept", "marks", mode="Once", ttlAfterFinished="1h"),
        )
        plans.kubectl("wait", "--for=delete", "plan/done", "plan/stalled", "--timeout=60s")
        assert plans.condition("kept") == ("True", "Converged")
        assert "Finished" in plans.events("done")


class TestPreview:
    def test_what_would_run_is_published_and_nothing_runs(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes", mode="Preview", parameters={"names": [f"n{i}" for i in range(30)]}))
        plans.wait("a")
        status = plans.status("a")
        assert plans.condition("a") == ("True", "Previewed")
        assert (status["pending"]["count"], status["pending"]["tasks"]) == (30, [f"n{i}" for i in range(20)])
        assert status["observedGeneration"] == 1
        assert "history" not in status
        assert did("a") == []

    def test_it_follows_the_world_at_the_interval_and_writes_only_changes(
        self, plans: Plans, tmp_path: Path, namespace: str
    ) -> None:
        plans.apply(manifest("a", "undoes", mode="Preview", interval="1s"))
        plans.wait("a")
        before = plans.get("a")["metadata"]["resourceVersion"]
        (tmp_path / f"{namespace}-a").write_text("a\n")
        plans.until(lambda: plans.status("a")["pending"]["count"] == 1, "the world is seen")
        assert plans.status("a")["pending"]["tasks"] == ["b"]
        assert plans.get("a")["metadata"]["resourceVersion"] != before

    def test_a_plan_that_cannot_look_says_so(self, plans: Plans) -> None:
        plans.apply(manifest("a", "unmakeable", mode="Preview"))
        plans.until(lambda: plans.condition("a") == ("False", "CreateFailed"), "the error shows")

    def test_from_a_preview_to_the_work(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes", mode="Preview"))
        plans.wait("a")
        plans.patch("a", mode="Reconcile")
        plans.until(lambda: plans.condition("a") == ("True", "Converged"), "it converged")
        assert did("a") == ["a", "b"]
        assert "pending" not in plans.status("a")


def test_as_many_tasks_run_at_a_time_as_parallelism_says(plans: Plans, tmp_path: Path, namespace: str) -> None:
    plans.apply(manifest("a", "naps", parallelism=4, parameters={"count": 8}))
    plans.wait("a")
    running = most = 0
    for line in (tmp_path / f"{namespace}-a.times").read_text().splitlines():
        running += 1 if line.startswith("begin") else -1
        most = max(most, running)
    assert most == 4


class TestNoProgress:
    def test_the_same_work_again_and_again_stalls_and_is_still_observed(
        self, plans: Plans, did: Did, tmp_path: Path, namespace: str
    ) -> None:
        plans.apply(manifest("a", "stuck", sleepBetweenRuns="200ms", interval="1s"))
        plans.wait("a", "Stalled")
        assert plans.condition("a") == ("False", "NotConverging")
        assert "again" in plans.message("a")
        runs = len(did("a"))
        (tmp_path / f"{namespace}-a.free").touch()
        plans.wait("a")
        assert len(did("a")) == runs

    def test_a_restart_does_not_begin_the_count_anew(self, plans: Plans, operator: Operator, did: Did) -> None:
        plans.apply(manifest("a", "stuck", sleepBetweenRuns="2s"))
        plans.until(lambda: len(did("a")) == 2, "two runs were made")
        plans.until(lambda: plans.status("a")["execution"].get("sameWork", {}).get("runs") == 2, "that is written")
        operator.kill()
        operator.start()
        plans.wait("a", "Stalled")
        assert len(did("a")) == 3


def test_ten_thousand_tasks_of_one_create_run(plans: Plans, did: Did) -> None:
    plans.apply(manifest("a", "huge", parameters={"count": 10_000}, sleepBetweenRuns="0s"))
    plans.wait("a", seconds=60)
    assert len(did("a")) == 10_000


def test_history_is_bounded_by_its_limit_and_the_status_by_64_kib(plans: Plans) -> None:
    plans.apply(manifest("a", "fatal", historyLimit=2))
    plans.wait("a", "Stalled")
    for number in range(3):
        before = plans.status("a")["execution"]["id"]
        plans.annotate("a", requestedAt=str(number))
        plans.until(
            lambda before=before: (
                (plans.status("a")["execution"]["id"], plans.condition("a", "Stalled")[0])  # type: ignore[misc]
                > ("", "")
                and plans.status("a")["execution"]["id"] != before
                and plans.condition("a", "Stalled")[0] == "True"
            ),
            "it stalled again",
        )
    status = plans.status("a")
    assert len(status["history"]) == 2
    assert len(json.dumps(status)) < 64 * 1024
