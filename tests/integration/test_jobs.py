"""The built-in plan `jobs` on the real API server. Its Job controller makes the pods; the tests play their kubelet."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from execloop.cli.group import execloop
from execloop.kube import ApiError, Connection, Kube
from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating

Fate = Callable[[dict[str, Any]], str | int | None]
"""Of a pod: its termination message, an exit code that is not 0, or None for one that runs on."""


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path) as running:
        yield running


class Kubelet:
    """Ends the pods of a namespace as a test says."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._kubeconfig, self._namespace = kubeconfig, namespace
        self.fate: Fate = lambda _pod: ""
        self._over = threading.Event()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        connection = Connection.load(self._kubeconfig)
        kube = Kube(connection, namespace=self._namespace)
        while not self._over.is_set():
            for pod in await kube.list("v1", "Pod"):
                fate = self.fate(pod) if pod["status"].get("phase") == "Pending" else None
                if fate is not None:
                    with suppress(ApiError):  # its Job was deleted meanwhile
                        await kube.patch("v1", "Pod", pod["metadata"]["name"], _ended(pod, fate), subresource="status")
            await asyncio.sleep(0.1)
        await connection.close()

    def close(self) -> None:
        self._over.set()


def _ended(pod: dict[str, Any], fate: str | int) -> dict[str, Any]:
    failed = isinstance(fate, int)
    ended = {"exitCode": fate if failed else 0, "reason": "Error" if failed else "Completed", "message": str(fate)}
    container = pod["spec"]["containers"][0]
    status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    return {"status": {"phase": "Failed" if failed else "Succeeded", "containerStatuses": [status]}}


@pytest.fixture
def kubelet(cluster: Cluster, namespace: str) -> Iterator[Kubelet]:
    kubelet = Kubelet(cluster.kubeconfig, namespace)
    thread = threading.Thread(target=kubelet.run)
    thread.start()
    yield kubelet
    kubelet.close()
    thread.join()


def step(name: str, *args: str, **fields: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "example.com/tool:1", "args": list(args)}
    return {"name": name, "template": {"spec": {"containers": [container]}}, **fields}


def jobs(kubectl: Kubectl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", "jobs", "--output=json"))["items"]
    return sorted(found, key=lambda job: job["metadata"]["labels"]["execloop.dev/step"])


def names(kubectl: Kubectl) -> list[str]:
    return [job["metadata"]["labels"]["execloop.dev/step"] for job in jobs(kubectl)]


def wanted(*steps: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return manifest("graph", "jobs", parameters={"steps": list(steps)}, errorBackoff={"initial": "200ms"}, **spec)


@pytest.mark.usefixtures("operator")
def test_a_graph_runs_in_order_with_outputs_and_each_job_may_expire_then(
    plans: Plans, kubectl: Kubectl, kubelet: Kubelet
) -> None:
    kubelet.fate = lambda pod: '["x", "y"]' if pod["metadata"]["labels"]["execloop.dev/step"] == "list" else ""
    plans.apply(
        wanted(
            step("list", outputs="TerminationMessage"),
            step("copy", "${{ item }}", dependsOn=["list"], forEach="steps.list.outputs"),
            step("report", "${{ string(size(steps.copy.outputs)) }}", dependsOn=["copy"]),
        )
    )
    plans.wait("graph")
    found = jobs(kubectl)
    assert [job["metadata"]["labels"]["execloop.dev/step"] for job in found] == ["copy", "copy", "list", "report"]
    assert {job["spec"]["ttlSecondsAfterFinished"] for job in found} == {3600}
    assert {job["metadata"]["labels"]["execloop.dev/recorded"] for job in found} == {"true"}
    args = [job["spec"]["template"]["spec"]["containers"][0].get("args") for job in found]
    assert sorted(args[:2]) == [["x"], ["y"]]
    assert args[3] == ["2"]


@pytest.mark.usefixtures("operator")
def test_deleted_jobs_do_not_run_again_and_a_changed_input_runs_its_step_and_those_after_it(
    plans: Plans, kubectl: Kubectl, kubelet: Kubelet
) -> None:
    plans.apply(wanted(step("a"), step("b", dependsOn=["a"]), step("c", dependsOn=["b"])))
    plans.wait("graph")
    kubectl("delete", "jobs", "--all")
    plans.annotate("graph", requestedAt="again")
    plans.until(lambda: plans.status("graph").get("lastHandledReconcileAt") == "again", "it is handled")
    plans.wait("graph")
    assert names(kubectl) == []
    plans.apply(wanted(step("a"), step("b", "new", dependsOn=["a"]), step("c", dependsOn=["b"])))
    plans.until(
        lambda: plans.get("graph")["metadata"]["generation"] == plans.status("graph")["observedGeneration"], "seen"
    )
    plans.wait("graph")
    assert names(kubectl) == ["b", "c"]
    execution = plans.status("graph")["execution"]["id"]
    plans.annotate("graph", retry=f"c@{execution}")
    plans.until(lambda: plans.status("graph")["execution"].get("request") == "retry c", "it has begun")
    plans.wait("graph")
    assert names(kubectl) == ["b", "c", "c"]


@pytest.mark.usefixtures("operator")
def test_the_command_skips_a_step_and_the_history_shows_who_and_why(
    plans: Plans, kubectl: Kubectl, kubelet: Kubelet, cluster: Cluster, namespace: str
) -> None:
    kubelet.fate = lambda pod: 3 if pod["metadata"]["labels"]["execloop.dev/step"] == "a" else ""
    plans.apply(wanted(step("a"), step("b", dependsOn=["a"])))
    plans.wait("graph", "Stalled")
    place = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
    done = CliRunner().invoke(execloop, ["skip", "graph", "a", "--reason", "done by hand", "--wait", *place])
    assert (done.exit_code, "skip requested of a" in done.output) == (0, True), done.output
    assert names(kubectl) == ["a", "b"]
    execution = plans.status("graph")["execution"]
    assert (execution["request"], execution["requestReason"]) == ("skip a", "done by hand")
    assert "done by hand" in CliRunner().invoke(execloop, ["history", "graph", *place]).output


def test_a_restarted_operator_takes_over_running_jobs_and_is_woken_by_their_end(
    plans: Plans, kubectl: Kubectl, kubelet: Kubelet, operator: Operator
) -> None:
    kubelet.fate = lambda _pod: None
    plans.apply(wanted(step("a"), step("b", dependsOn=["a"])))
    plans.until(lambda: plans.condition("graph") == ("Unknown", "Waiting"), "it waits")
    assert plans.message("graph") == "a runs"
    operator.kill()
    operator.start()
    kubelet.fate = lambda _pod: ""
    plans.wait("graph")
    assert names(kubectl) == ["a", "b"]


@pytest.mark.usefixtures("operator")
def test_a_failure_is_shown_with_its_exit_code_and_what_was_done_is_undone(
    plans: Plans, kubectl: Kubectl, kubelet: Kubelet
) -> None:
    kubelet.fate = lambda pod: 3 if pod["metadata"]["labels"]["execloop.dev/step"] == "b" else ""
    undo = {"template": step("undo", "undo")["template"]}
    plans.apply(wanted(step("a", compensate=undo), step("b", dependsOn=["a"], retries=1)))
    plans.wait("graph", "Stalled")
    assert plans.condition("graph", "Stalled") == ("True", "FatalError")
    assert "b failed: exit code 3" in plans.message("graph")
    assert "; undone: a" in plans.message("graph")
    assert names(kubectl) == ["a", "a", "b", "b"]
    assert plans.status("graph")["execution"]["errors"] == 2


@pytest.mark.usefixtures("operator")
def test_a_teardown_undoes_what_was_done(plans: Plans, kubectl: Kubectl, kubelet: Kubelet) -> None:
    undo = {"template": step("undo", "undo")["template"]}
    plans.apply(wanted(step("a", compensate=undo), deletionPolicy="Teardown"))
    plans.wait("graph")
    kubectl("delete", "plan", "graph", "--timeout=60s")
    events = kubectl("get", "events", "--output=jsonpath={range .items[*]}{.reason} {.involvedObject.name}{'\\n'}{end}")
    assert sum(line.startswith("SuccessfulCreate graph-a-") for line in events.splitlines()) == 2


@pytest.mark.usefixtures("operator")
def test_parameters_that_cannot_be_are_refused_with_their_place(plans: Plans) -> None:
    plans.apply(wanted(step("a"), step("b", when="steps.a.state = 'done'", dependsOn=["a"])))
    plans.wait("graph", "Stalled")
    assert plans.condition("graph") == ("False", "InvalidParameters")
    assert "parameters.steps.1.when" in plans.message("graph")
    assert "line 1, column 15" in plans.message("graph")


@pytest.mark.usefixtures("operator")
def test_the_example_of_the_documentation_runs_with_the_rights_that_it_names(
    plans: Plans, kubectl: Kubectl, kubelet: Kubelet
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "library" / "jobs.md").read_text()
    example = next(block for block in blocks(page) if block.language == "yaml")
    kubelet.fate = lambda pod: '["eu", "us"]' if pod["metadata"]["labels"]["execloop.dev/step"] == "list" else ""
    kubectl("apply", "--filename=-", input=example.text)
    plans.wait("nightly")
    found = [job["spec"]["template"]["spec"]["containers"][0]["command"] for job in jobs(kubectl)]
    assert sorted(found[:2]) == [["export", "--region=eu"], ["export", "--region=us"]]
    assert found[3] == ["report", '["eu", "us"]']
