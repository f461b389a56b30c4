"""Clients that know nothing of Plans, on a real API server with a real operator: kubectl and Helm."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from execloop.kube import kstatus
from tests.cluster import Cluster
from tests.cluster.errors import KubectlFailed, Unavailable
from tests.cluster.tools import find_tool
from tests.gitops import argocd
from tests.gitops.judge import Verdict, judged
from tests.integration.operating import Plans, manifest, operating

BACKOFF = {"initial": "100ms", "max": "300ms"}


@pytest.fixture(scope="module")
def place(cluster: Cluster, crd: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace with an operator."""
    folder = tmp_path_factory.mktemp("clients")
    name = f"clients-{folder.stat().st_ino}"
    cluster.kubectl("create", "namespace", name)
    with operating(cluster, [name], folder):
        yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def plans(cluster: Cluster, place: str) -> Iterator[Plans]:
    plans = Plans(cluster, place)
    yield plans
    plans.kubectl("delete", "plans", "--all")


class TestWait:
    def test_for_ready_returns_when_the_plan_has_converged(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks", parameters={"count": 2, "fix": "wait"}))
        plans.kubectl("wait", "--for=condition=Ready", "plan/a", "--timeout=30s")
        assert plans.condition("a") == ("True", "Converged")

    def test_for_ready_is_not_fooled_by_what_was_said_of_the_spec_before(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks"))
        plans.wait("a")
        plans.patch("a", parameters={"fix": "new", "seconds": 1})
        plans.kubectl("wait", "--for=condition=Ready", "plan/a", "--timeout=30s")
        assert plans.status("a")["observedGeneration"] == 2

    def test_for_stalled_returns_when_the_budget_is_spent(self, plans: Plans) -> None:
        spec = {"errorsToTolerate": 0, "errorBackoff": BACKOFF}
        plans.apply(manifest("a", "marks", parameters={"fails": 99, "fix": "stall"}, **spec))
        plans.kubectl("wait", "--for=condition=Stalled", "plan/a", "--timeout=30s")
        with pytest.raises(KubectlFailed, match="timed out waiting for the condition"):
            plans.kubectl("wait", "--for=condition=Ready", "plan/a", "--timeout=1s")

    def test_for_a_field_of_the_status_works_too(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks", parameters={"fix": "field"}))
        said = plans.kubectl("wait", "--for=jsonpath={.status.execution.result}=Converged", "plan/a", "--timeout=30s")
        assert "condition met" in said


class TestApply:
    def _apply(self, plans: Plans, manager: str, check: bool = True, **spec: Any) -> str:
        text = json.dumps(manifest("a", "marks", **spec))
        return plans.kubectl(
            "apply", "--server-side", f"--field-manager={manager}", "--filename=-", input=text, check=check
        )

    def test_two_managers_share_a_plan_and_the_operator_disturbs_neither(self, plans: Plans) -> None:
        self._apply(plans, "team", parameters={"fix": "shared"})
        self._apply(plans, "platform", interval="1h")
        plans.wait("a")
        self._apply(plans, "team", parameters={"fix": "again"})
        plans.wait("a")
        spec = plans.get("a")["spec"]
        assert (spec["parameters"], spec["interval"]) == ({"fix": "again"}, "1h")

    def test_what_a_manager_no_longer_says_falls_back_to_its_default(self, plans: Plans) -> None:
        self._apply(plans, "team", interval="1h")
        self._apply(plans, "team")
        assert plans.get("a")["spec"]["interval"] == "10m"

    def test_a_field_that_another_manager_has_is_a_conflict_that_names_it(self, plans: Plans) -> None:
        self._apply(plans, "team", interval="1h")
        said = self._apply(plans, "platform", check=False, interval="2h")
        assert 'conflict with "team": .spec.interval' in said

    def test_the_operator_owns_fields_of_the_status_alone(self, plans: Plans) -> None:
        self._apply(plans, "team", parameters={"fix": "owned"})
        plans.wait("a")
        shown = json.loads(plans.kubectl("get", "plan", "a", "--show-managed-fields", "--output=json"))
        owners = {(entry["manager"], entry.get("subresource")): entry for entry in shown["metadata"]["managedFields"]}
        others = [entry for (manager, _), entry in owners.items() if manager != "team"]
        assert [(entry.get("subresource"), set(entry["fieldsV1"])) for entry in others] == [("status", {"f:status"})]

    @pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
    def test_nothing_differs_from_the_manifest_once_it_has_converged(self, way: list[str], plans: Plans) -> None:
        text = json.dumps(manifest("a", "marks", parameters={"fix": "diff", "count": 2}, interval="60m"))
        plans.kubectl("apply", *way, "--filename=-", input=text)
        plans.wait("a")
        assert plans.kubectl("diff", *way, "--filename=-", input=text) == ""
        plans.kubectl("apply", *way, "--filename=-", input=text)
        assert plans.get("a")["metadata"]["generation"] == 1


class TestLook:
    def test_get_has_a_row_for_each_plan(self, plans: Plans) -> None:
        plans.apply(
            manifest("good", "marks", parameters={"fix": "get"}),
            manifest("stuck", "fatal"),
            manifest("unknown", "no-such-plan"),
        )
        plans.wait("good")
        plans.wait("stuck", "Stalled")
        plans.wait("unknown", "Stalled")
        header, *rows = plans.kubectl("get", "xp").splitlines()
        starts = [header.index(column) for column in ("NAME", "READY", "STATE", "STATUS", "AGE")]
        ends = [*starts[1:], None]
        cells = [[row[start:end].strip() for start, end in zip(starts, ends, strict=True)] for row in rows]
        assert [row[:3] for row in cells] == [
            ["good", "True", "Converged"],
            ["stuck", "False", "Stalled"],
            ["unknown", "False", "Stalled"],
        ]
        (_, stuck, unknown) = [row[3] for row in cells]
        assert "no attempt can help" in stuck
        assert "no-such-plan" in unknown

    def test_describe_shows_the_conditions_and_what_happened(self, plans: Plans) -> None:
        plans.apply(manifest("a", "fatal"))
        plans.wait("a", "Stalled")
        plans.until(lambda: "FatalError" in plans.kubectl("get", "events"), "an Event tells of it")
        text = plans.kubectl("describe", "plan", "a")
        assert "Type: Stalled" in " ".join(text.split())
        events = text.partition("\nEvents:")[2]
        assert "Warning" in events
        assert "no attempt can help" in events

    def test_explain_describes_every_field(self, plans: Plans) -> None:
        text = plans.kubectl("explain", "xp", "--recursive")
        assert {"errorsToTolerate", "parametersFrom", "lastConvergedAt"} <= set(text.split())
        assert "<no description>" not in plans.kubectl("explain", "xp.spec") + plans.kubectl("explain", "xp.status")


class TestGitOps:
    """The judges of GitOps tools on live Plans; tests/gitops has every state."""

    def test_judges_agree_on_live_plans(self, plans: Plans) -> None:
        plans.apply(
            manifest("done", "marks", parameters={"fix": "done"}),
            manifest("stuck", "fatal"),
            manifest("resting", "marks", suspend=True, parameters={"fix": "resting"}),
            manifest("busy", "marks", parameters={"fix": "busy", "count": 200, "seconds": 1}),
        )
        plans.wait("done")
        plans.wait("stuck", "Stalled")
        plans.wait("resting", "Suspended")
        plans.wait("busy", "Reconciling")
        names = ("done", "stuck", "resting", "busy")
        live = [plans.get(name) for name in names]
        assert [argocd.health(plan)["status"] for plan in live] == ["Healthy", "Degraded", "Suspended", "Progressing"]
        assert [kstatus.compute(plan).state for plan in live] == ["Current", "Failed", "InProgress", "InProgress"]

    def test_published_judges_agree_on_live_plans(self, plans: Plans) -> None:
        plans.apply(manifest("done", "marks", parameters={"fix": "published"}), manifest("stuck", "fatal"))
        plans.wait("done")
        plans.wait("stuck", "Stalled")
        try:
            verdicts = judged([plans.get("done"), plans.get("stuck")])
        except Unavailable as reason:
            pytest.skip(str(reason))
        assert verdicts == [Verdict("Current", "Current", "Current"), Verdict("Failed", "Failed", "Failed")]

    def test_the_actions_of_argocd_do_what_they_say(self, plans: Plans) -> None:
        def act(action: str) -> None:
            changed = argocd.act(action, plans.get("a"))
            patch = {"spec": changed["spec"], "metadata": {"annotations": changed["metadata"].get("annotations")}}
            plans.kubectl("patch", "plan", "a", "--type=merge", f"--patch={json.dumps(patch)}")

        plans.apply(manifest("a", "marks", parameters={"fix": "act"}))
        plans.wait("a")
        first = plans.status("a")["execution"]["id"]
        act("suspend")
        plans.wait("a", "Suspended")
        act("resume")
        plans.until(lambda: plans.condition("a", "Suspended") == ("", ""), "it is resumed")
        assert plans.status("a")["execution"]["id"] == first
        act("reconcile")
        plans.until(lambda: plans.status("a")["execution"]["id"] != first, "another execution began")
        plans.wait("a")
        plans.patch("a", approval="Manual", parameters={"fix": "approved"})
        plans.until(lambda: plans.condition("a")[1] == "ApprovalRequired", "it awaits approval")
        act("approve")
        plans.wait("a")


class TestHelm:
    @pytest.fixture
    def helm(self, cluster: Cluster, place: str, tmp_path: Path) -> Iterator["Release"]:
        try:
            program = find_tool("helm")
        except Unavailable as reason:
            pytest.skip(f"no helm: {reason}")
        release = Release(program, cluster, place, tmp_path)
        yield release
        release.run("uninstall", "shop", "--ignore-not-found", "--wait")

    def test_waits_until_plans_have_converged(self, helm: "Release", plans: Plans) -> None:
        helm.write(manifest("a", "marks", parameters={"seconds": 1, "fix": "helm"}))
        done = helm.run("install", "shop", helm.chart, "--wait", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        assert plans.condition("a") == ("True", "Converged")

    def test_waits_for_the_changed_plan_at_an_upgrade(self, helm: "Release", plans: Plans) -> None:
        helm.write(manifest("a", "marks", parameters={"fix": "first"}))
        helm.run("install", "shop", helm.chart, "--wait", "--timeout=60s")
        helm.write(manifest("a", "marks", parameters={"fix": "second", "seconds": 1}))
        done = helm.run("upgrade", "shop", helm.chart, "--wait", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        assert plans.status("a")["observedGeneration"] == 2

    def test_fails_before_its_timeout_when_a_plan_stalls(self, helm: "Release", plans: Plans) -> None:
        helm.write(manifest("a", "fatal"))
        done = helm.run("install", "shop", helm.chart, "--wait", "--timeout=300s")
        assert done.returncode != 0
        assert "no attempt can help" in done.stderr
        assert "deadline" not in done.stderr


class Release:
    """A chart of one Plan, and the helm that installs it."""

    def __init__(self, program: Path, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.chart = str(folder / "chart")
        self._options = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
        self._program, self._folder = program, folder

    def write(self, plan: dict[str, Any]) -> None:
        templates = Path(self.chart) / "templates"
        templates.mkdir(parents=True, exist_ok=True)
        (templates.parent / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
        (templates / "plan.yaml").write_text(yaml.safe_dump(plan))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        homes = {f"HELM_{home}_HOME": str(self._folder / home.lower()) for home in ("CACHE", "CONFIG", "DATA")}
        homes["HOME"] = str(self._folder)  # it caches discovery there, or else in the working folder
        command = [str(self._program), *arguments, *self._options]
        return subprocess.run(command, env=homes, capture_output=True, text=True, check=False)
