"""Each value of the chart has the effect that it is there for."""

import json
from typing import Any

import pytest
import yaml

from release.chart import values as documented
from tests.chart.effects import EFFECTS, arguments, policies, roles
from tests.chart.rendering import CHART, Chart, Rendered, Values
from tests.documentation import blocks


def nested(path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return {name: nested(rest, value) if rest else value}


def together(*parts: Values) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = together(merged[key], value) if both else value
    return merged


def test_every_value_is_in_the_table_below() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(EFFECTS) == {value.path for value in documented(schema) if not value.group}


@pytest.mark.parametrize("path", EFFECTS)
def test_a_value_has_an_effect(chart: Chart, path: str) -> None:
    value, others, look, expected = EFFECTS[path]
    assert look(chart.render(together(nested(path, value), others))) == expected
    try:
        before = look(chart.render(others))
    except (ValueError, KeyError):  # there is nothing to look at without it
        return
    assert before != expected


def test_lint_has_nothing_to_say_but_that_there_is_no_icon(chart: Chart) -> None:
    lines = [line for line in chart.lint().splitlines() if line.startswith("[")]
    assert lines == ["[INFO] Chart.yaml: icon is recommended"]


def test_one_replica_is_not_kept_from_being_evicted(chart: Chart) -> None:
    assert chart.render({"replicas": 1}).of("PodDisruptionBudget") == []


def test_the_crd_is_kept_when_the_release_goes(default: Rendered) -> None:
    annotations = default.one("CustomResourceDefinition")["metadata"]["annotations"]
    assert annotations == {"helm.sh/resource-policy": "keep"}


def test_policies_that_change_objects_are_left_out_where_the_cluster_has_none(chart: Chart) -> None:
    assert len(chart.render().of("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")) == 4
    without = chart.render(apis=[])
    assert without.of("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding") == []
    assert len(without.of("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")) == 4


def test_a_release_that_only_looks_for_the_policy_about_secrets_does_not_install_it(chart: Chart) -> None:
    rendered = chart.render({"secrets": {"policy": "look"}})
    assert "plans.execloop.dev-secrets" not in policies(rendered)
    assert [name for _, name in roles(rendered) if name.endswith("secrets-policy")]


def test_the_pods_of_hooks_are_not_the_operators(default: Rendered) -> None:
    selector = default.one("Service")["spec"]["selector"].items()
    hooks = [default.one("Pod")["metadata"]["labels"], default.one("Job")["spec"]["template"]["metadata"]["labels"]]
    assert [selector <= labels.items() for labels in hooks] == [False, False]
    assert selector <= default.one("Deployment")["spec"]["template"]["metadata"]["labels"].items()


def test_by_default_plans_that_do_what_a_plan_says_need_a_service_account(default: Rendered) -> None:
    prefix = "--require-service-account-for="
    named = [argument.removeprefix(prefix) for argument in arguments(default) if argument.startswith(prefix)]
    assert named == ["manifests", "jobs", "steps", "http", "sql"]


def test_the_page_of_manifests_mounts_an_image_below_a_folder_that_plans_may_read(chart: Chart) -> None:
    page = (CHART.parents[1] / "docs" / "library" / "manifests.md").read_text()
    (values,) = [block.text for block in blocks(page) if block.text.startswith("extraVolumes:")]
    rendered = chart.render(yaml.safe_load(values))
    (mount,) = [each for each in rendered.container["volumeMounts"] if each["name"] == "shop"]
    (volume,) = [each for each in rendered.pod["volumes"] if each["name"] == "shop"]
    assert volume["image"]["reference"].startswith("registry.example.com/")
    assert mount == {"name": "shop", "mountPath": "/manifests/shop", "readOnly": True}
    assert "--plan-folder=/manifests" in arguments(rendered)
