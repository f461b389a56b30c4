"""What an administrator lets Plans do."""

from typing import Any

import pytest

from execloop.controller.access import Access
from execloop.controller.api.v1alpha1 import PlanSpec
from execloop.kube.objects.reach import Reach

TEAMS = Access.parse(["team-a=manifests,db-*", "ops-*=*", "team-b = restart , noop"])


def refusal(access: Access, namespace: str = "team-a", **spec: Any) -> str | None:
    return access.refusal(namespace, PlanSpec.model_validate({"plan": "noop", **spec}))


@pytest.mark.parametrize(
    ("namespace", "plan", "allowed"),
    [
        ("team-a", "manifests", True),
        ("team-a", "db-migrate", True),
        ("team-a", "restart", False),
        ("team-a", "other-db-x", False),
        ("ops-1", "anything", True),
        ("ops", "anything", False),
        ("team-b", "restart", True),
        ("team-b", "noop", True),
        ("elsewhere", "manifests", False),
    ],
)
def test_a_namespace_may_use_the_plans_that_a_rule_names(namespace: str, plan: str, allowed: bool) -> None:
    why = refusal(TEAMS, namespace, plan=plan)
    assert why == (None if allowed else f"the plan {plan!r} is not allowed in the namespace {namespace!r}")


def test_without_rules_every_namespace_may_use_every_plan() -> None:
    assert refusal(Access()) is None


@pytest.mark.parametrize("rule", ["", "team-a", "=manifests", "team-a=", "team-a=x,,y", " = "])
def test_a_rule_that_is_none_is_refused_with_the_form_of_one(rule: str) -> None:
    with pytest.raises(ValueError, match=r"must be NAMESPACE=PLAN\[,PLAN\.\.\.\]"):
        Access.parse([rule])


class TestServiceAccount:
    @pytest.mark.parametrize(
        ("named", "default", "account"),
        [(None, None, None), (None, "plans", "plans"), ("own", "plans", "own"), ("own", None, "own")],
    )
    def test_a_plan_acts_as_its_own_or_the_default(
        self, named: str | None, default: str | None, account: str | None
    ) -> None:
        spec = PlanSpec.model_validate({"plan": "noop", "serviceAccountName": named})
        assert Access(default_service_account=default).account(spec) == account

    @pytest.mark.parametrize(
        ("plan", "account", "refused"),
        [("manifests", None, True), ("manifests", "own", False), ("db-x", None, True), ("noop", None, False)],
    )
    def test_one_may_be_required_for_some_plans(self, plan: str, account: str | None, refused: bool) -> None:
        access = Access(require_service_account_for=("manifests", "db-*"))
        why = refusal(access, plan=plan, serviceAccountName=account)
        assert (why is not None) == refused
        assert why is None or f"requires one for the plan {plan!r}" in why

    @pytest.mark.parametrize(
        "access", [Access(require_service_account=True), Access(require_service_account_for=("*",))]
    )
    def test_what_was_done_without_one_may_be_undone_without_one(self, access: Access) -> None:
        spec = PlanSpec(plan="noop")
        assert access.refusal("team-a", spec) is not None
        assert access.refusal("team-a", spec, applied=True) is None

    def test_with_one_its_rights_decide_what_a_built_in_plan_touches(self) -> None:
        access = Access(manifests_namespaces=("team-b",))
        assert access.reach("team-a", PlanSpec(plan="manifests", service_account_name="own")) is None
        assert access.reach("team-a", PlanSpec(plan="manifests")) == Reach("team-a", ("team-b",))

    @pytest.mark.parametrize(
        ("named", "default", "refused"), [(None, None, True), ("own", None, False), (None, "d", False)]
    )
    def test_one_may_be_required(self, named: str | None, default: str | None, refused: bool) -> None:
        why = refusal(Access(default_service_account=default, require_service_account=True), serviceAccountName=named)
        assert (why is not None and "spec.serviceAccountName is missing" in why) is refused


class TestOtherNamespaces:
    @pytest.mark.parametrize(
        ("place", "crossing", "refused"),
        [(None, False, False), ("team-a", False, False), ("team-b", False, True), ("team-b", True, False)],
    )
    def test_a_plan_depends_on_its_own_unless_more_is_allowed(
        self, place: str | None, crossing: bool, refused: bool
    ) -> None:
        why = refusal(Access(cross_namespace=crossing), dependsOn=[{"name": "x"}, {"name": "y", "namespace": place}])
        assert (why is not None and why.startswith("spec.dependsOn[1].namespace: ")) is refused
