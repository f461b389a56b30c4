"""Whether a Plan may run at all."""

from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from execloop import plan
from execloop._engine.errors import PlanError
from execloop._engine.options import Options
from execloop._plans.definition import definition_of
from execloop._plans.registry import Registered, Registry
from execloop.controller.access import Access
from execloop.controller.reconcile.inputs.validation import Validated, validate
from execloop.controller.status.conditions import Stalled
from execloop.kube.objects.reach import Reach
from tests.plan_specs import REFUSED, Refused


class Parameters(BaseModel):
    count: int = Field(default=1, gt=0)
    password: str = ""

    @field_validator("password")
    @classmethod
    def no_secret(cls, value: str) -> str:
        if value == "s3cret":
            raise RuntimeError(f"an author's mistake that quotes {value}")
        return value


@plan("strict", parameters=Parameters)
def strict(_parameters: Parameters) -> None: ...


@plan("free")
def free(parameters: dict[str, Any]) -> None: ...


@plan("twice")
def twice() -> None: ...


@plan("twice")
def twice_again() -> None: ...


def registry(version: str = "1") -> Registry:
    definitions = [definition_of(made) for made in (strict, free, twice, twice_again)]
    return Registry([Registered(found, "tests", version) for found in definitions if found is not None])


def validated(spec: dict[str, Any], version: str = "1") -> Validated:
    found = validate(spec, registry(version))
    assert isinstance(found, Validated)
    return found


def refused(spec: object) -> Stalled:
    found = validate(spec, registry())
    assert isinstance(found, Stalled)
    return found


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (None, "InvalidSpec", "spec: "),
        ({}, "InvalidSpec", "spec.plan: Field required"),
        ({"plan": "free", "interval": "often"}, "InvalidSpec", "spec.interval: should be"),
        ({"plan": "nosuch"}, "UnknownPlan", "there is no plan 'nosuch'; known plans: free, strict"),
        ({"plan": "strct"}, "UnknownPlan", "known plans: strict, free"),
        ({"plan": "twice"}, "UnknownPlan", "2 plans are named 'twice'"),
    ],
)
def test_a_mistake_is_named_with_its_field(spec: object, reason: str, message: str) -> None:
    found = refused(spec)
    assert found.reason == reason
    assert message in found.message


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.why)
def test_what_the_api_server_let_in_before_it_had_the_rule_is_refused_here(case: Refused) -> None:
    found = refused(case.spec)
    assert found.reason == "InvalidSpec"
    assert case.at in found.message


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ({}, Options()),
        (
            {"sleepBetweenRuns": "0s", "errorsToTolerate": 0, "executionTimeout": "1h30m"},
            Options(sleep_between_runs=0, errors_to_tolerate=0, execution_timeout=5400),
        ),
        ({"errorsToTolerate": -1}, Options(errors_to_tolerate=None)),
        ({"executionTimeout": "0s"}, Options(execution_timeout=None)),
    ],
)
def test_the_spec_decides_how_an_execution_behaves(spec: dict[str, Any], options: Options) -> None:
    assert validated({"plan": "free", **spec}).options == options


def test_inputs_follow_the_spec_and_the_version_of_the_code() -> None:
    spec = {"plan": "free", "parameters": {"a": 1}}
    assert validated(spec).inputs(()) == validated(dict(spec)).inputs(())
    assert validated(spec).inputs(()) != validated({"plan": "free", "parameters": {"a": 2}}).inputs(())
    assert validated(spec).inputs(()) != validated(spec, version="2").inputs(())


class TestReach:
    """What the clients of a plan may touch without a service account."""

    @pytest.fixture
    def everything(self) -> Registry:
        return Registry.load(())

    def reach(self, everything: Registry, *, applied: bool = False, **spec: Any) -> Reach | None:
        given = {"plan": "manifests", "parameters": {"objects": [_CONFIG_MAP]}, **spec}
        found = validate(given, everything, Access(manifests_namespaces=("other",)), "team", applied=applied)
        assert isinstance(found, Validated)
        return found.reach

    def test_a_built_in_plan_touches_its_namespace_and_those_that_are_named(self, everything: Registry) -> None:
        assert self.reach(everything) == Reach("team", ("other",))

    def test_with_a_service_account_rbac_decides(self, everything: Registry) -> None:
        assert self.reach(everything, serviceAccountName="own") is None

    def test_what_it_made_before_may_be_undone_wherever_it_is(self, everything: Registry) -> None:
        assert self.reach(everything, applied=True) is None

    def test_a_plan_of_the_administrators_has_the_operators_rights(self) -> None:
        assert validated({"plan": "strict"}).reach is None


class TestIncluded:
    """Which plans a plan of plans may use: those that a Plan of its own could name."""

    def included(self, name: str, access: Access, **spec: Any) -> str:
        found = validate({"plan": "includes", **spec}, Registry.load(()), access, "team")
        assert isinstance(found, Validated)
        return found.plans(name).name

    def test_the_allow_list_holds_for_each(self) -> None:
        access = Access((("team", "includes"), ("team", "manifests")))
        assert self.included("manifests", access) == "manifests"
        with pytest.raises(PlanError, match="the plan 'sql' is not allowed in the namespace 'team'"):
            self.included("sql", access)

    def test_a_plan_that_needs_a_service_account_needs_it_here_too(self) -> None:
        access = Access(require_service_account_for=("sql",))
        assert self.included("sql", access, serviceAccountName="own") == "sql"
        with pytest.raises(PlanError, match=r"spec\.serviceAccountName is missing"):
            self.included("sql", access)

    def test_a_plan_that_does_not_exist_is_named(self) -> None:
        with pytest.raises(PlanError, match="there is no plan 'missing'"):
            self.included("missing", Access())


_CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
