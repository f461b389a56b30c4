"""The life of a release, as a platform team has it: each test goes on where the one before it stopped."""

import json
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from tests.e2e.plans.jobs import job
from tests.e2e.site import CHART, IMAGE, PLANS, PLANS_IMAGE, PREVIOUS_IMAGE, RELEASE, SYSTEM, TEAM, HelmFailed, Site
from tests.integration.operating import Plans, manifest

Tell: TypeAlias = Callable[[str], None]

JOBS_RULE = {
    "apiGroups": ["batch"],
    "resources": ["jobs"],
    "verbs": ["get", "list", "watch", "create", "patch", "delete"],
}
PODS_RULE = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}
_CONTAINER = re.compile(r"containerd://(\w+)")


@pytest.fixture
def plans(site: Site) -> Plans:
    return Plans(site.cluster, TEAM)


def values(image: str = IMAGE, **others: Any) -> dict[str, Any]:
    repository, _, tag = image.partition(":")
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "plans": {"configMap": "plans", "image": {"reference": PLANS_IMAGE, "pullPolicy": "Never"}},
        "rbac": {"extraRules": [JOBS_RULE, PODS_RULE]},
        "operator": {"requireServiceAccountFor": []},
        **others,
    }


def previous_chart(folder: Path) -> Path:
    """As this one, with an older version, and a CRD that lacks a field."""
    chart = folder / "previous"
    shutil.copytree(CHART, chart)
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**metadata, "version": "0.0.9"}))
    crd = chart / "templates" / "crds" / "plans.yaml"
    crd.write_text(re.sub(r"\n( +)historyLimit:\n(\1 +.*\n)+", "\n", crd.read_text(), count=1))
    return chart


def knows_history_limit(site: Site) -> bool:
    version = site.get("crd", "plans.execloop.dev")["spec"]["versions"][0]
    return "historyLimit" in version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def operators(site: Site) -> list[dict[str, Any]]:
    selector = "--selector=app.kubernetes.io/component=operator"
    found: list[dict[str, Any]] = site.get("pods", f"--namespace={SYSTEM}", selector)["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def holder(site: Site) -> str:
    return str(site.get("lease", RELEASE, f"--namespace={SYSTEM}")["spec"].get("holderIdentity") or "")


def test_helm_installs_it_into_a_restricted_namespace(site: Site, tmp_path: Path, tell: Tell) -> None:
    code = PLANS / "jobs.py"
    site.kubectl("create", "configmap", "plans", f"--namespace={SYSTEM}", f"--from-file={code}")
    packaged = tmp_path / "packaged"
    site.helm("package", previous_chart(tmp_path), f"--destination={packaged}")
    seconds = site.upgrade(values(PREVIOUS_IMAGE), packaged / "execloop-0.0.9.tgz")
    tell(f"helm install to Ready: {seconds:.1f} s")
    assert not knows_history_limit(site)


def test_a_plan_in_yaml_makes_a_job_whose_pod_runs(site: Site, plans: Plans, tell: Tell) -> None:
    start = time.monotonic()
    plans.apply(manifest("hello", "manifests", parameters={"objects": [job("hello", IMAGE, 0)]}))
    plans.wait("hello")
    tell(f"kubectl apply to Ready: {time.monotonic() - start:.1f} s")
    plans.kubectl("wait", "--for=condition=Complete", "job/hello", "--timeout=60s")
    assert plans.kubectl("logs", "job/hello") == "done\n"


def test_the_command_follows_what_the_operator_logs_about_a_plan(site: Site, plans: Plans) -> None:
    where = [f"--namespace={TEAM}", f"--kubeconfig={site.cluster.kubeconfig}", f"--operator-namespace={SYSTEM}"]
    command = [sys.executable, "-m", "execloop.cli", "logs", "hello", *where]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Converged: no tasks remain" in said
    with subprocess.Popen([*command, "--follow"], stdout=subprocess.PIPE, text=True) as following:
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read, args=(following.stdout or (), lines), daemon=True).start()
        for suspend, line in ((True, "-> Suspended"), (False, "-> Converged")):
            assert any(_followed(plans, lines, suspend, line) for _ in range(5))
        following.send_signal(signal.SIGINT)
        following.wait(10)


def _read(stdout: Iterable[str], lines: queue.Queue[str]) -> None:
    for line in stdout:
        lines.put(line)


def _followed(plans: Plans, lines: queue.Queue[str], suspend: bool, line: str) -> bool:
    """Return whether the line came: the kubelet may hold one back until the log has the next."""
    for suspended in (suspend, not suspend):
        patch = json.dumps({"spec": {"suspend": suspended}})
        plans.kubectl("patch", "plan", "hello", "--type=merge", f"--patch={patch}")
        with suppress(queue.Empty):
            while line not in lines.get(timeout=10):
                pass
            return True
    return False


def test_plans_in_python_come_from_a_config_map_and_from_an_image(site: Site, plans: Plans) -> None:
    plans.apply(manifest("steps", "queue", parameters={"image": IMAGE}))
    plans.wait("steps", seconds=90)
    assert plans.get("steps")["status"]["execution"]["runs"] > 1
    plans.apply(manifest("more", "more-jobs", parameters={"image": IMAGE, "prefix": "more"}))
    plans.wait("more", seconds=90)


def python_step(name: str, code: str, *args: str, **fields: Any) -> dict[str, Any]:
    """A step of the plan `jobs`, in the only image that the cluster has."""
    command = ["python", "-c", code, *args]
    container = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": command}
    return {"name": name, "template": {"spec": {"containers": [container]}}, **fields}


def test_a_graph_of_jobs_hands_outputs_on_and_shows_the_log_of_a_failure(site: Site, plans: Plans, tell: Tell) -> None:
    lists = "open('/dev/termination-log', 'w').write('[2, 3]')"
    squares = "import sys; open('/dev/termination-log', 'w').write(str(int(sys.argv[1]) ** 2))"
    fails = "import sys; print('the sum is', sys.argv[1]); sys.exit(3)"
    steps = [
        python_step("list", lists, outputs="TerminationMessage"),
        python_step(
            "square",
            squares,
            "${{ item }}",
            dependsOn=["list"],
            forEach="steps.list.outputs",
            outputs="TerminationMessage",
            compensate={"template": python_step("undo", "print('undone')")["template"]},
        ),
        python_step("fail", fails, "${{ steps.square.outputs[0] + steps.square.outputs[1] }}", dependsOn=["square"]),
    ]
    start = time.monotonic()
    plans.apply(manifest("graph", "jobs", parameters={"steps": steps}))
    plans.wait("graph", "Stalled", seconds=120)
    tell(f"a graph of 6 Jobs, one after the other or side by side: {time.monotonic() - start:.1f} s")
    assert "fail failed: exit code 3: the sum is 13; undone: square" in plans.message("graph")
    steps[2] = python_step("fail", "print('fine')", dependsOn=["square"])
    plans.apply(manifest("graph", "jobs", parameters={"steps": steps}))
    plans.wait("graph", seconds=120)
    found = json.loads(plans.kubectl("get", "jobs", "--selector=execloop.dev/step=list", "--output=json"))["items"]
    assert len(found) == 1, "a step whose inputs did not change runs once"


def test_an_upgrade_brings_the_crd_and_goes_on_with_what_is_in_flight(site: Site, plans: Plans, tell: Tell) -> None:
    parameters = {"image": IMAGE, "prefix": "journey", "steps": 6, "seconds": 8}
    plans.apply(manifest("journey", "queue", parameters=parameters))
    plans.until(lambda: '"journey-2"' in plans.kubectl("get", "jobs", "--output=json"), "it is under way", 120)
    execution = plans.status("journey")["execution"]
    seconds = site.upgrade(values())
    tell(f"helm upgrade to Ready, with a Plan in flight: {seconds:.1f} s")
    assert knows_history_limit(site)
    assert plans.condition("journey")[0] != "True", "the upgrade was to find it in flight"
    plans.wait("journey", seconds=180)
    after = plans.status("journey")["execution"]
    assert (after["id"], after["startedAt"]) == (execution["id"], execution["startedAt"])
    assert after["errors"] == 0


def test_helm_test_reaches_the_operator(site: Site) -> None:
    assert "Succeeded" in site.helm("test", RELEASE, "--logs", "--timeout=120s")


def test_a_standby_takes_over_when_the_leader_is_killed(site: Site, plans: Plans, tell: Tell) -> None:
    plans.until(lambda: len(operators(site)) == 2, "two operators run", 60)
    before = holder(site)
    (leader,) = [pod for pod in operators(site) if pod["metadata"]["name"] in before]
    container = _CONTAINER.match(leader["status"]["containerStatuses"][0]["containerID"])
    assert container
    start = time.monotonic()
    site.in_node("ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", container[1])
    plans.apply(manifest("afterwards", "manifests", parameters={"objects": [job("afterwards", IMAGE, 0)]}))
    plans.wait("afterwards", seconds=60)
    tell(f"leader killed to the next Plan Ready: {time.monotonic() - start:.1f} s")
    assert holder(site)


def is_stalled(plans: Plans, name: str) -> bool:
    return plans.condition(name, "Stalled") == ("True", "PlanCrashes")


def endings(site: Site) -> list[str]:
    """Why each container's last process ended."""
    statuses = [status for pod in operators(site) for status in pod["status"]["containerStatuses"]]
    return [status.get("lastState", {}).get("terminated", {}).get("reason", "") for status in statuses]


@pytest.mark.timeout(600)
def test_a_plan_whose_container_is_killed_for_memory_stalls_and_its_neighbour_converges(
    site: Site, plans: Plans, tell: Tell
) -> None:
    start = time.monotonic()
    plans.apply(manifest("hungry", "eats-memory"), manifest("beside-hungry", "queue", parameters={"image": IMAGE}))
    plans.until(lambda: is_stalled(plans, "hungry"), "it has stalled", 420)
    tell(f"three containers killed for memory, to Stalled: {time.monotonic() - start:.1f} s")
    assert "OOMKilled" in endings(site)
    plans.wait("beside-hungry", seconds=90)
    plans.kubectl("delete", "plan", "hungry", "beside-hungry")


@pytest.mark.timeout(600)
def test_a_plan_that_hangs_the_interpreter_is_found_out_by_the_kubelet(site: Site, plans: Plans, tell: Tell) -> None:
    impatient(site)
    start = time.monotonic()
    plans.apply(manifest("hanging", "hangs-interpreter"), manifest("beside", "queue", parameters={"image": IMAGE}))
    plans.until(lambda: is_stalled(plans, "hanging"), "it has stalled", 420)
    tell(f"three containers killed by their liveness probe, to Stalled: {time.monotonic() - start:.1f} s")
    plans.wait("beside", seconds=90)
    plans.kubectl("delete", "plan", "hanging", "beside")


def impatient(site: Site) -> None:
    """The kubelet finds a hanging operator after 3 s instead of 60 s; nothing else differs."""
    probe = {"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 3, "terminationGracePeriodSeconds": 1}
    container = {"name": "operator", "livenessProbe": probe}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    site.kubectl("patch", "deployment", RELEASE, f"--namespace={SYSTEM}", f"--patch={json.dumps(patch)}")
    site.kubectl("rollout", "status", f"deployment/{RELEASE}", f"--namespace={SYSTEM}", "--timeout=120s")


def test_an_uninstallation_names_the_plans_with_a_teardown_to_do_and_stops(site: Site, plans: Plans) -> None:
    plans.apply(manifest("kept", "queue", parameters={"image": IMAGE, "prefix": "kept"}, deletionPolicy="Teardown"))
    plans.until(lambda: "finalizers" in plans.get("kept")["metadata"], "it has its finalizer")
    with pytest.raises(HelmFailed, match="team-a/kept"):
        site.helm("uninstall", RELEASE, "--timeout=120s")
    assert len(operators(site)) == 2


def test_a_plan_that_is_deleted_is_torn_down_by_the_operator_that_is_still_there(site: Site, plans: Plans) -> None:
    plans.kubectl("delete", "plan", "kept", "--timeout=60s")
    assert "kept-0" not in plans.kubectl("get", "jobs", "--output=name")


def test_the_second_attempt_uninstalls_it_and_leaves_the_plans(site: Site, plans: Plans, tell: Tell) -> None:
    start = time.monotonic()
    assert "no Plan has a teardown left to run" in site.helm("uninstall", RELEASE, "--wait", "--timeout=120s")
    tell(f"helm uninstall: {time.monotonic() - start:.1f} s")
    assert operators(site) == []
    left = plans.kubectl("get", "plans", "--output=name")
    assert all(f"/{name}\n" in left for name in ("hello", "steps", "journey"))


def test_a_new_release_takes_over_what_the_old_one_kept(site: Site, plans: Plans) -> None:
    site.upgrade(values(uninstall={"removeFinalizers": True}))
    plans.apply(manifest("kept", "queue", parameters={"image": IMAGE, "prefix": "kept"}, deletionPolicy="Teardown"))
    plans.wait("kept", seconds=90)
    assert plans.get("kept")["metadata"]["finalizers"]
    plans.wait("hello")


def test_finalizers_are_taken_off_when_a_value_says_so(site: Site, plans: Plans) -> None:
    assert "team-a/kept" in site.helm("uninstall", RELEASE, "--wait", "--timeout=120s")
    assert "finalizers" not in plans.get("kept")["metadata"]
    plans.kubectl("delete", "plan", "kept", "--timeout=20s")
    assert plans.kubectl("get", "job", "kept-0", "--output=name") == "job.batch/kept-0\n"
