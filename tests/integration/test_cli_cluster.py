"""The verbs for Plans in a cluster, on a real API server with a real operator."""

import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result

from execloop.cli.group import execloop
from tests.cluster import Cluster
from tests.integration.access import account
from tests.integration.conftest import Kubectl
from tests.integration.operating import Did, Operator, Plans, manifest

Command: TypeAlias = Callable[..., Result]


@pytest.fixture
def command(cluster: Cluster, namespace: str) -> Command:
    """`execloop` with these arguments, in the namespace of the test."""

    def run(verb: str, *arguments: str, **options: Any) -> Result:
        place = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
        return CliRunner().invoke(execloop, [verb, *arguments, *place], **options)

    return run


def managers(plans: Plans, name: str) -> set[str]:
    shown = plans.kubectl("get", "plan", name, "--output=json", "--show-managed-fields")
    return {entry["manager"] for entry in json.loads(shown)["metadata"]["managedFields"]}


def test_a_day_of_a_plan(plans: Plans, command: Command, operator: Operator) -> None:
    plans.apply(
        manifest("good", "marks"),
        manifest("stuck", "fatal"),
        manifest("after", "marks", dependsOn=[{"name": "stuck"}]),
    )
    assert command("wait", "good", "stuck", "--timeout=60s").exit_code == 1
    plans.until(lambda: plans.condition("after")[1] == "DependencyNotReady", "it waits")

    listed = command("get").output.splitlines()
    assert listed[0].split() == ["NAME", "READY", "STATE", "STATUS", "AGE"]
    assert [line.split()[:3] for line in listed[1:]] == [
        ["after", "False", "Waiting"],
        ["good", "True", "Converged"],
        ["stuck", "False", "Stalled"],
    ]
    assert [line.split()[0] for line in command("get", "--state=stalled").output.splitlines()[1:]] == ["stuck"]
    assert json.loads(command("get", "good", "-o", "json").output)["metadata"]["name"] == "good"

    explained = command("explain", "after").output
    assert "waits for what it depends on" in explained
    assert "no attempt can help" in explained
    assert "next: fix the cause, then run `execloop reconcile`" in explained
    assert "docs/troubleshoot.md#fatalerror" in explained

    plans.patch("stuck", plan="marks")
    assert command("wait", "--all", "--timeout=60s").exit_code == 0

    before = plans.status("good")["execution"]["id"]
    done = command("reconcile", "good", "--wait", "--timeout=60s")
    assert (done.exit_code, plans.status("good")["execution"]["id"] != before) == (0, True)
    assert "execloop" in managers(plans, "good")


def test_tasks_are_shown_and_approved(plans: Plans, command: Command, operator: Operator, did: Did) -> None:
    plans.apply(manifest("a", "undoes", approval="Manual"))
    plans.until(lambda: plans.condition("a")[1] == "ApprovalRequired", "it asks")
    refused = command("approve", "a", input="n\n")
    assert (refused.exit_code, plans.get("a")["metadata"].get("annotations", {}).get("execloop.dev/approve")) == (
        1,
        None,
    )
    assert "  1. a" in refused.output
    assert command("approve", "a", "--yes", "--digest=other").exit_code == 2
    assert command("approve", "a", "--yes").exit_code == 0
    assert command("wait", "a", "--timeout=60s").exit_code == 0
    assert did("a") == ["a", "b"]
    assert (approver := plans.status("a")["execution"]["approval"]["by"])
    assert approver in command("history", "a").output
    assert "no tasks of Plan a wait" in command("approve", "a", "--yes").output


def test_a_task_that_needs_an_approval_is_shown_with_what_it_will_do(
    plans: Plans, command: Command, operator: Operator, did: Did
) -> None:
    plans.apply(manifest("a", "drops"))
    plans.until(lambda: plans.condition("a") == ("Unknown", "ApprovalRequired"), "drop awaits approval")
    assert did("a") == ["create"]
    shown = command("approve", "a", "--yes").output.splitlines()
    assert shown[:3] == ["  1. drop", "       DROP TABLE old;", "       DROP TABLE older;"]
    plans.wait("a")
    assert did("a") == ["create", "drop"]
    assert "no tasks of Plan a wait" in command("approve", "a", "--yes").output


def test_a_suspension_has_a_reason_and_an_end_and_is_lifted(plans: Plans, command: Command, operator: Operator) -> None:
    plans.apply(manifest("a", "marks"))
    plans.wait("a")
    assert command("suspend", "a", "--for=2h", "--reason=a migration").exit_code == 0
    annotations = plans.get("a")["metadata"]["annotations"]
    assert (plans.get("a")["spec"]["suspend"], annotations["execloop.dev/suspend-reason"]) == (True, "a migration")
    assert annotations["execloop.dev/suspend-until"].endswith("Z")
    plans.until(lambda: plans.status("a").get("state") == "Suspended", "it is suspended")
    assert "a migration" in command("explain", "a").output
    assert command("suspend", "a").exit_code == 0
    assert not {"execloop.dev/suspend-until", "execloop.dev/suspend-reason"} & set(
        plans.get("a")["metadata"]["annotations"]
    )
    assert command("resume", "a", "--wait", "--timeout=60s").exit_code == 0
    assert not [one for one in plans.get("a")["metadata"].get("annotations", {}) if "suspend" in one]


class TestWithoutAnOperator:
    def test_what_no_operator_answers_times_out(self, plans: Plans, command: Command) -> None:
        plans.apply(manifest("a", "marks"))
        done = command("wait", "a", "--timeout=1s")
        assert (done.exit_code, "plan a: timed out; New" in done.output) == (124, True)

    def test_one_that_is_deleted_is_not_waited_for(self, plans: Plans, command: Command) -> None:
        plans.apply(manifest("a", "marks"))
        plans.kubectl("delete", "plan", "a")
        assert command("wait", "a").exit_code == 2

    def test_a_wrong_name_is_a_mistake_with_a_hint(self, plans: Plans, command: Command, namespace: str) -> None:
        done = command("explain", "nobody")
        assert done.exit_code == 2
        assert f"there is no Plan {namespace}/nobody" in done.output

    @pytest.mark.parametrize("verb", ["wait", "suspend", "resume", "reconcile"])
    def test_a_verb_for_many_wants_names_or_all(self, plans: Plans, command: Command, verb: str) -> None:
        assert "give names of Plans, or --all" in command(verb).output

    def test_an_explanation_says_that_no_operator_has_seen_it(self, plans: Plans, command: Command) -> None:
        plans.apply(manifest("a", "marks"))
        assert "has not been seen by an operator" in command("explain", "a").output

    def test_a_step_is_tried_again_by_its_execution(self, plans: Plans, command: Command) -> None:
        plans.apply(manifest("a", "marks"))
        assert "no execution yet" in command("retry", "a", "copy").output


def test_a_plan_is_seen_from_all_sides(plans: Plans, command: Command, operator: Operator, tmp_path: Path) -> None:
    failing = manifest("b", "marks", parameters={"seconds": 0.125, "fails": 9}, errorsToTolerate=0)
    plans.apply(manifest("a", "marks", dependsOn=[{"name": "b"}]), failing)
    plans.wait("b", "Stalled")
    plans.until(lambda: plans.condition("a")[1] == "DependencyNotReady", "it waits")
    plans.until(lambda: "ErrorsExceeded" in command("events", "b").output, "an Event tells of it")
    drawn = command("tree", "a").output
    assert "depends on" in drawn
    assert "b  Stalled" in drawn
    assert "ErrorsExceeded" in command("history", "b").output
    file = tmp_path / "b.tar.gz"
    assert command("bundle", "b", f"--output={file}").exit_code == 0
    with tarfile.open(file) as archive:
        names = archive.getnames()
        texts = [archive.extractfile(name).read().decode() for name in names]  # type: ignore[union-attr]
    assert names == ["version.txt", "plan.json", "events.json", "check.txt"]
    assert not [text for text in texts if "0.125" in text]
    assert command("bundle", "b", f"--output={file}").exit_code == 2


class TestAsking:
    def test_a_preview_is_shown_when_the_operator_answers(self, plans: Plans, command: Command) -> None:
        plans.apply(manifest("a", "marks"))
        done = command("diff", "a", "--timeout=1s")
        assert (done.exit_code, "has not answered in time" in done.output) == (124, True)
        assert "execloop.dev/preview" in plans.get("a")["metadata"]["annotations"]

    def test_the_log_of_an_operator_without_pods_cannot_be_read(self, plans: Plans, command: Command) -> None:
        plans.apply(manifest("a", "marks"))
        done = command("logs", "a")
        assert (done.exit_code, "--operator-namespace" in done.output) == (2, True)

    def test_a_user_without_rights_learns_which_one_it_needs(
        self, plans: Plans, cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
    ) -> None:
        plans.apply(manifest("a", "marks"))
        kubectl("create", "role", "looks", "--verb=get,list", "--resource=plans.execloop.dev")
        kubeconfig = account(cluster, kubectl, namespace, "jane", tmp_path, role="looks")
        place = [f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
        done = CliRunner().invoke(execloop, ["logs", "a", *place])
        assert (done.exit_code, "get on pods/log" in done.output) == (2, True)
        done = CliRunner().invoke(execloop, ["reconcile", "a", *place])
        assert (done.exit_code, "cannot patch resource" in done.output) == (1, True)

    def test_a_cluster_is_checked(self, plans: Plans, command: Command) -> None:
        done = command("check")
        assert "✓ Kubernetes: v" in done.output
        assert "✓ CRD:" in done.output
        assert "✗ operator: no Deployment has the label" in done.output
        assert "✓ your rights:" in done.output
        assert done.exit_code == 1


def test_many_plans_are_resumed_in_the_order_of_their_dependencies(plans: Plans, command: Command) -> None:
    needs = {"a-third": ["m-second"], "m-second": ["z-first"], "z-first": []}
    for name, others in needs.items():
        plans.apply(manifest(name, "marks", suspend=True, dependsOn=[{"name": other} for other in others]))
    done = command("resume", "a-third", "z-first", "m-second")
    assert [line.split()[1] for line in done.output.splitlines()] == ["z-first", "m-second", "a-third"]
    assert [plans.get(name)["spec"].get("suspend") for name in needs] == [False] * 3


def test_names_complete_in_the_shell(plans: Plans, cluster: Cluster, namespace: str) -> None:
    plans.apply(manifest("orders", "marks"), manifest("other", "marks"), manifest("page", "marks"))
    place = f"--namespace={namespace} --kubeconfig={cluster.kubeconfig}"
    words = {"COMP_WORDS": f"execloop explain {place} o", "COMP_CWORD": "4", "_EXECLOOP_COMPLETE": "bash_complete"}
    done = CliRunner().invoke(execloop, prog_name="execloop", env=words)
    assert done.output.split() == ["plain,orders", "plain,other"]
    assert "complete -o nosort -F" in CliRunner().invoke(execloop, ["completion", "bash"]).output


def test_a_watch_prints_a_row_for_each_change(plans: Plans, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    plans.apply(manifest("a", "marks"))
    command = [sys.executable, "-m", "execloop.cli", "get", "--watch", f"--namespace={namespace}"]
    seen = tmp_path / "seen"
    with seen.open("w") as file:
        watch = subprocess.Popen([*command, f"--kubeconfig={cluster.kubeconfig}"], stdout=file)
    try:
        plans.until(lambda: "New" in seen.read_text(), "it is listed")
        plans.patch("a", suspend=True)
        plans.until(lambda: len(seen.read_text().splitlines()) == 3, "its change has a row")
    finally:
        watch.send_signal(signal.SIGTERM)  # SIGINT may be ignored where the tests run in the background
    assert watch.wait(timeout=20) in {143, -signal.SIGTERM}
