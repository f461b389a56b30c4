"""crds/approval.yaml on a real API server: who may approve, and whose name is recorded."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.cluster.cluster import wait_until

pytestmark = pytest.mark.usefixtures("crd")

POLICIES = Path(__file__).parents[2] / "crds" / "approval.yaml"
APPROVE = "execloop.dev/approve"
APPROVED_BY = "execloop.dev/approved-by"
EDITING = ["get", "create", "update", "patch", "delete"]


def _only_where(label: str, document: dict[str, Any]) -> dict[str, Any]:
    """A policy under a name of its own, or its binding, for the namespaces with a label: others share this cluster."""
    document["metadata"]["name"] += f"-{label}"
    if document["kind"].endswith("Binding"):
        document["spec"]["policyName"] += f"-{label}"
        document["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": {"test": label}}}
    return document


@dataclass
class Guarded:
    """A namespace in which the policies hold."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *args: str, user: str = "admin", **options: Any) -> str:
        acting = [] if user == "admin" else [f"--as={user}"]
        return self.cluster.kubectl(f"--namespace={self.namespace}", *acting, *args, **options)

    def create(self, user: str, annotations: dict[str, str] | None = None, **spec: Any) -> str:
        """What kubectl said."""
        metadata = {"name": "plan", "annotations": annotations or {}}
        content = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": metadata}
        manifest = json.dumps({**content, "spec": {"plan": "noop", **spec}})
        return self.kubectl("create", "--filename=-", user=user, input=manifest, check=False)

    def change(self, user: str, **fields: Any) -> str:
        patch = f"--patch={json.dumps(fields)}"
        return self.kubectl("patch", "plan", "plan", "--type=merge", patch, user=user, check=False)

    def annotate(self, user: str, **annotations: str | None) -> str:
        named = {f"execloop.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        return self.change(user, metadata={"annotations": named})

    def annotations(self) -> dict[str, str]:
        plan = json.loads(self.kubectl("get", "plan", "plan", "--output=json"))
        found: dict[str, str] = plan["metadata"].get("annotations", {})
        return found


@contextmanager
def _guarding(cluster: Cluster, *, recording: bool) -> Iterator[Guarded]:
    """A namespace with an editor and an approver, once the API server enforces the policies there."""
    label = secrets.token_hex(4)
    shipped = yaml.safe_load_all(POLICIES.read_text("utf-8"))
    documents = yaml.safe_dump_all(
        _only_where(label, document) for document in shipped if recording or document["kind"].startswith("Validating")
    )
    cluster.kubectl("apply", "--server-side", "--filename=-", input=documents)
    guarded = Guarded(cluster, f"guarded-{label}")
    cluster.kubectl("create", "namespace", guarded.namespace)
    cluster.kubectl("label", "namespace", guarded.namespace, f"test={label}")
    for user, verbs in (("editor", EDITING), ("approver", [*EDITING, "approve"])):
        allowed = ",".join(verbs)
        guarded.kubectl("create", "role", user, "--resource=plans.execloop.dev", f"--verb={allowed}")
        guarded.kubectl("create", "rolebinding", user, f"--role={user}", f"--user={user}")
    wait_until(lambda: _enforced(guarded, recording), seconds=30, what="the policies to be enforced")
    yield guarded
    cluster.kubectl("delete", "--wait=false", "--filename=-", input=documents)
    cluster.kubectl("delete", "namespace", guarded.namespace, "--wait=false")


def _enforced(guarded: Guarded, recording: bool) -> bool:
    """Each part comes into force by itself, so each is asked for."""
    validating = "may not approve" in guarded.create("editor", {APPROVE: "d"})
    recorded = "created" in guarded.create("approver", {APPROVE: "d"})
    guarded.kubectl("delete", "plan", "plan", "--ignore-not-found")
    return validating and recorded == recording


@pytest.fixture(scope="module")
def policies(cluster: Cluster, crd: None) -> Iterator[Guarded]:
    with _guarding(cluster, recording=True) as guarded:
        yield guarded


@pytest.fixture(scope="module")
def validating_policies(cluster: Cluster, crd: None) -> Iterator[Guarded]:
    with _guarding(cluster, recording=False) as guarded:
        yield guarded


@pytest.fixture
def guarded(policies: Guarded) -> Iterator[Guarded]:
    """With every part of the policies; the Plan is gone afterwards."""
    yield policies
    policies.kubectl("delete", "plan", "plan", "--ignore-not-found")


@pytest.fixture
def required(guarded: Guarded) -> Iterator[Guarded]:
    """A namespace in which Plans need an approval."""
    guarded.kubectl("label", "namespace", guarded.namespace, "execloop.dev/approval=required")
    wait_until(lambda: "need" in _tried(guarded), seconds=30, what="the label of the namespace to be known")
    yield guarded
    guarded.kubectl("label", "namespace", guarded.namespace, "execloop.dev/approval-")
    wait_until(lambda: "need" not in _tried(guarded), seconds=30, what="the label of the namespace to be gone")


def _tried(guarded: Guarded) -> str:
    said = guarded.create("editor", mode="Once")
    guarded.kubectl("delete", "plan", "plan", "--ignore-not-found")
    return said


@pytest.fixture
def validated(validating_policies: Guarded) -> Iterator[Guarded]:
    """Without the part that records who approved."""
    yield validating_policies
    validating_policies.kubectl("delete", "plan", "plan", "--ignore-not-found")


def test_the_policies_are_good_as_they_are_shipped(cluster: Cluster) -> None:
    said = cluster.kubectl("apply", "--server-side", "--dry-run=server", f"--filename={POLICIES}")
    assert len(said.splitlines()) == 6


def test_an_approval_is_recorded_with_the_name_of_who_gave_it(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    guarded.annotate("approver", approve="d1")
    assert guarded.annotations() == {APPROVE: "d1", APPROVED_BY: "approver"}


def test_who_lacks_the_verb_may_not_approve(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    assert "user editor may not approve plans here" in guarded.annotate("editor", approve="d1")
    assert "user editor may not approve plans here" in guarded.annotate("editor", approve="d1", approved_by="approver")
    assert guarded.annotations() == {}


def test_an_approver_cannot_approve_in_another_s_name(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    guarded.annotate("approver", approve="d1", approved_by="boss")
    assert guarded.annotations() == {APPROVE: "d1", APPROVED_BY: "approver"}


def test_the_next_approval_is_recorded_with_the_name_of_who_gave_that(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    guarded.annotate("approver", approve="d1")
    guarded.annotate("admin", approve="d2")
    assert guarded.annotations() == {APPROVE: "d2", APPROVED_BY: "admin"}


@pytest.mark.parametrize("user", ["editor", "approver"])
@pytest.mark.parametrize("name", ["boss", "approver", None])
def test_nobody_writes_who_approved_without_approving(user: str, name: str | None, guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    guarded.annotate("admin", approve="d1")
    assert "is written by the API server" in guarded.annotate(user, approved_by=name)
    assert guarded.annotations() == {APPROVE: "d1", APPROVED_BY: "admin"}


def test_who_approved_goes_with_the_approval(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    guarded.annotate("approver", approve="d1")
    guarded.annotate("editor", approve=None, approved_by=None)
    assert guarded.annotations() == {}


def test_a_name_kept_from_an_approval_that_was_taken_back_is_not_that_of_the_next(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    guarded.annotate("admin", approve="d1")
    guarded.annotate("editor", approve=None)
    guarded.annotate("approver", approve="d1")
    assert guarded.annotations() == {APPROVE: "d1", APPROVED_BY: "approver"}


def test_a_step_is_skipped_by_who_may_approve_and_run_again_by_who_may_edit(guarded: Guarded) -> None:
    guarded.create("editor")
    assert "user editor may not skip steps of plans here" in guarded.annotate("editor", skip="copy@x")
    assert guarded.annotations() == {}
    guarded.annotate("approver", skip="copy@x")
    guarded.annotate("editor", retry="copy@x")
    assert guarded.annotations() == {
        "execloop.dev/skip": "copy@x",
        "execloop.dev/retry": "copy@x",
        "execloop.dev/request-by": "editor",
    }
    guarded.annotate("editor", skip=None)
    assert guarded.annotations() == {"execloop.dev/retry": "copy@x", "execloop.dev/request-by": "editor"}


def test_who_asks_about_a_step_is_recorded_and_nobody_writes_another_name(guarded: Guarded) -> None:
    guarded.create("editor")
    guarded.annotate("approver", skip="copy@x", request_by="boss", request_reason="by hand")
    assert guarded.annotations()["execloop.dev/request-by"] == "approver"
    assert "is the name of who asks" in guarded.annotate("editor", request_by="boss")
    guarded.annotate("editor", request_by=None)
    assert "execloop.dev/request-by" not in guarded.annotations()


def test_without_the_part_that_records_only_one_s_own_name_is_taken(validated: Guarded) -> None:
    validated.create("editor")
    assert "is the name of who asks" in validated.annotate("editor", retry="copy@x", request_by="boss")
    validated.annotate("editor", retry="copy@x", request_by="editor")
    assert "is the name of who asks" in validated.annotate("approver", retry="copy@y")
    assert validated.annotations() == {"execloop.dev/retry": "copy@x", "execloop.dev/request-by": "editor"}
    assert "patched" in validated.annotate("approver", retry=None)


def test_an_editor_may_not_lift_the_approval_that_a_plan_needs(guarded: Guarded) -> None:
    guarded.create("editor", approval="Manual")
    assert "user editor may not lift the approval" in guarded.change("editor", spec={"approval": "Automatic"})
    assert "user editor may not lift the approval" in guarded.change("editor", spec={"approval": None})
    assert guarded.change("approver", spec={"approval": "Automatic"}) == "plan.execloop.dev/plan patched\n"


def test_an_editor_may_ask_for_approval_and_change_what_is_to_be_approved(guarded: Guarded) -> None:
    guarded.create("editor")
    assert guarded.change("editor", spec={"approval": "Manual"}) == "plan.execloop.dev/plan patched\n"
    assert guarded.change("editor", spec={"parameters": {"a": 1}}) == "plan.execloop.dev/plan patched\n"


@pytest.mark.parametrize(
    ("user", "annotations", "answer"),
    [
        ("editor", {APPROVE: "d1"}, "user editor may not approve plans here"),
        ("editor", {APPROVE: "d1", APPROVED_BY: "editor"}, "user editor may not approve plans here"),
        ("editor", {APPROVED_BY: "approver"}, "is written by the API server"),
        ("approver", {APPROVED_BY: "approver"}, "is written by the API server"),
        ("approver", {APPROVE: "d1", APPROVED_BY: "boss"}, "plan.execloop.dev/plan created"),
        ("editor", {}, "plan.execloop.dev/plan created"),
    ],
)
def test_a_plan_is_not_created_with_an_approval_that_its_creator_may_not_give(
    user: str, annotations: dict[str, str], answer: str, guarded: Guarded
) -> None:
    assert answer in guarded.create(user, annotations, approval="Manual")
    if "created" in answer:
        assert guarded.annotations().get(APPROVED_BY) == (user if annotations else None)


@pytest.mark.parametrize(
    ("user", "approval", "answer"),
    [
        ("editor", "Automatic", "need spec.approval: Manual"),
        ("editor", "Manual", "plan.execloop.dev/plan created"),
        ("approver", "Automatic", "plan.execloop.dev/plan created"),
    ],
)
def test_where_plans_need_an_approval_only_an_approver_creates_one_that_needs_none(
    user: str, approval: str, answer: str, required: Guarded
) -> None:
    assert answer in required.create(user, approval=approval)


def test_where_plans_need_an_approval_only_an_approver_changes_one_that_needs_none(required: Guarded) -> None:
    required.create("approver", approval="Automatic")
    assert "need spec.approval: Manual" in required.change("editor", spec={"parameters": {"a": 1}})
    assert required.change("approver", spec={"parameters": {"a": 1}}) == "plan.execloop.dev/plan patched\n"


def test_where_plans_need_an_approval_labels_and_finalizers_may_be_changed(required: Guarded) -> None:
    required.create("approver", approval="Automatic")
    changes: list[dict[str, Any]] = [{"labels": {"team": "a"}}, {"finalizers": ["execloop.dev/x"]}, {"finalizers": []}]
    for metadata in changes:
        assert required.change("editor", metadata=metadata) == "plan.execloop.dev/plan patched\n"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("approver", "plan.execloop.dev/plan patched"),
        ("boss", "is written by the API server"),
        (None, "is written by the API server"),
    ],
)
def test_without_the_mutating_part_an_approver_writes_their_own_name_and_no_other(
    name: str | None, answer: str, validated: Guarded
) -> None:
    validated.create("editor", approval="Manual")
    assert answer in validated.annotate("approver", approve="d1", approved_by=name)
    assert validated.annotations() == ({APPROVE: "d1", APPROVED_BY: name} if name == "approver" else {})


def test_without_the_mutating_part_an_editor_may_not_approve_either(validated: Guarded) -> None:
    validated.create("editor", approval="Manual")
    assert "may not approve" in validated.annotate("editor", approve="d1", approved_by="editor")
