import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from execloop.cli.group import execloop
from tests.documentation import blocks

PLANS = Path(__file__).parents[2] / "plans"
LIBRARY = Path(__file__).parents[3] / "docs" / "library"
GOOD: dict[str, Any] = {
    "apiVersion": "execloop.dev/v1alpha1",
    "kind": "Plan",
    "metadata": {"name": "mine"},
    "spec": {"plan": "write-files", "parameters": {"folder": "/tmp/x"}},
}


def _validate(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(execloop, ["validate", "--plans", str(PLANS), *map(str, arguments)], input=text)


def _with_spec(**spec: Any) -> str:
    return yaml.safe_dump({**GOOD, "spec": {**GOOD["spec"], **spec}})


def test_good_manifests_exit_with_0(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(yaml.safe_dump_all([GOOD, GOOD]))
    result = _validate(path)
    assert result.exit_code == 0
    assert result.stdout == f"{path}:1: mine is valid\n{path}:2: mine is valid\n"
    assert result.stderr == "2 good, 0 bad\n"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"interval": "often"}, "spec.interval: should be a duration such as 90s, 10m or 1h30m"),
        ({"interval": 10}, "spec.interval: should be a string"),
        ({"parallelism": "2"}, "spec.parallelism: should be a whole number"),
        ({"parallelism": True}, "spec.parallelism: should be a whole number"),
        ({"parallelism": 0}, "spec.parallelism: Input should be greater than or equal to 1"),
        ({"suspend": "yes"}, "spec.suspend: should be true or false"),
        ({"dependsOn": {}}, "spec.dependsOn: should be a list"),
        ({"dependsOn": [{}]}, "spec.dependsOn[0].name: Field required"),
        (
            {"dependsOn": [{"name": "x", "nmae": "x"}]},
            "spec.dependsOn[0].nmae: there is no such field; did you mean name?",
        ),
        ({"sleepBetweenRun": "1s"}, "spec.sleepBetweenRun: there is no such field; did you mean sleepBetweenRuns?"),
        (
            {"sleep_between_runs": "1s"},
            "spec.sleep_between_runs: there is no such field; did you mean sleepBetweenRuns?",
        ),
        ({"zzz": 1}, "spec.zzz: there is no such field"),
        ({"mode": "Sometimes"}, "spec.mode: Input should be 'Reconcile', 'Once' or 'Preview'"),
        ({"mode": "Preview", "approval": "Manual"}, "spec: approval Manual contradicts mode Preview"),
        ({"plan": "write-file"}, "spec.plan: there is no plan 'write-file'; known plans: write-files, "),
        ({"parameters": {}}, "spec.parameters.folder: Field required"),
        (
            {"parameters": {"folder": "x", "count": -1}},
            "spec.parameters.count: Input should be greater than or equal to 0",
        ),
        ({"parameters": []}, "spec.parameters: should be a mapping"),
        ({"deletionPolicy": "Teardown"}, "spec.deletionPolicy: the plan 'write-files' has no teardown()"),
        ({"plan": "settled"}, "spec.parameters.folder: the plan 'settled' takes no parameters"),
    ],
)
def test_a_problem_is_said_with_file_document_and_field(spec: dict[str, Any], problem: str) -> None:
    result = _validate("-", text=_with_spec(**spec))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"-:1:{problem}")
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == "0 good, 1 bad\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1, 2]", "-:1: should be a Kubernetes object"),
        ("spec: {}", "-:1: should say apiVersion and kind: execloop.dev/v1alpha1 and Plan for a Plan"),
        ("a: [", "-:1: not YAML: "),
        ("a: 1\na: 2", "-:1: not YAML: the key 'a' is repeated (line 2, column 1)"),
        (
            "kind: Plan\napiVersion: execloop.dev/v1\nmetadata: {name: x}\nspec: {plan: settled}",
            "-:1:apiVersion: should be",
        ),
        ("kind: Plan\napiVersion: execloop.dev/v1alpha1\nspec: {plan: settled}", "-:1:metadata.name: is missing"),
        ("kind: Plan\napiVersion: execloop.dev/v1alpha1\nmetadata: {name: x}", "-:1:spec.plan: Field required"),
        ("kind: Plan\napiVersion: execloop.dev/v1alpha1\nmetadata: x\nspec: {plan: settled}", "-:1:metadata"),
        ("kind: Plan\napiVersion: execloop.dev/v1alpha1\nmetadata: {name: x}\nspec:", "-:1:spec: should be a mapping"),
    ],
)
def test_what_is_no_plan_is_said(text: str, problem: str) -> None:
    result = _validate("-", text=text)
    assert result.exit_code == 1
    assert result.stdout.startswith(problem)


def test_each_document_is_counted_and_other_objects_are_left_out() -> None:
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    foreign = "apiVersion: upgrade.cattle.io/v1\nkind: Plan\nmetadata: {name: x}\n"
    result = _validate(
        "-", text=f"---\n# nothing\n---\n{other}---\n{foreign}---\n{_with_spec(zzz=1)}---\n{_with_spec()}"
    )
    assert result.stdout == "-:4:spec.zzz: there is no such field\n-:5: mine is valid\n"
    assert result.stderr == "1 good, 1 bad\n"


def test_what_comes_before_a_broken_document_is_still_checked() -> None:
    result = _validate("-", text=f"{_with_spec()}---\na: [")
    assert result.stdout.startswith("-:1: mine is valid\n-:2: not YAML: ")
    assert result.stderr == "1 good, 1 bad\n"


def test_the_items_of_a_list_are_checked() -> None:
    manifest = {"apiVersion": "v1", "kind": "List", "items": [GOOD, {**GOOD, "spec": {"plan": "nope"}}]}
    result = _validate("-", text=yaml.safe_dump(manifest))
    assert result.stdout.startswith("-:1: mine is valid\n-:1:spec.plan: there is no plan 'nope'")


def test_every_problem_of_a_plan_is_said_at_once() -> None:
    result = _validate("-", text=_with_spec(zzz=1, interval="often", parallelism=0))
    fields = [line.split(":")[2] for line in result.stdout.splitlines()]
    assert sorted(fields) == ["spec.interval", "spec.parallelism", "spec.zzz"]


def test_parameters_that_may_stand_in_the_cluster_are_not_missed() -> None:
    source = [{"kind": "ConfigMap", "name": "x"}]
    assert _validate("-", text=_with_spec(parameters={}, parametersFrom=source)).exit_code == 0
    result = _validate("-", text=_with_spec(parameters={"count": -1}, parametersFrom=source))
    assert result.stdout.startswith("-:1:spec.parameters.count: ")


def test_plans_that_are_not_installed_can_be_left_unchecked() -> None:
    assert _validate("-", "--schema-only", text=_with_spec(plan="elsewhere")).exit_code == 0


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    result = _validate("no-such.yaml")
    assert result.exit_code == 2
    assert "'no-such.yaml' does not exist" in result.stderr


def test_a_file_that_is_not_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    result = _validate(path)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_that_nothing_checks_the_parameters_of_a_plan_without_a_model_is_said(tmp_path: Path) -> None:
    good = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "mine"}}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**good, "spec": {"plan": "free-form", "parameters": {"any": 1}}}))
    result = CliRunner().invoke(execloop, ["validate", "--plans", str(PLANS), str(path)])
    assert (result.exit_code, result.stdout) == (0, f"{path}:1: mine is valid\n")
    assert "spec.parameters: the plan 'free-form' has no model, so nothing checks them" in result.stderr


def test_a_plan_of_plans_is_checked_with_the_parameters_of_each() -> None:
    files = {"name": "files", "plan": "write-files", "parameters": {"folder": "/tmp/x", "cuont": 1}}
    nested = {"name": "deep", "plan": "includes", "parameters": {"includes": [files]}}
    unknown = {"name": "x", "plan": "write-file"}
    text = _with_spec(plan="includes", parameters={"includes": [nested, unknown]})
    lines = _validate("-", text=text).stdout.splitlines()
    assert lines[0].endswith(
        "spec.parameters.includes[0].parameters.includes[0].parameters.cuont: there is no such parameter;"
        " did you mean count?"
    )
    assert "spec.parameters.includes[1].plan: there is no plan 'write-file'; known plans: write-files" in lines[1]


def test_what_a_secret_brings_is_not_missed() -> None:
    databases = [{"name": "eu", "credential": "eu"}]
    sql = {"name": "db", "plan": "sql", "parameters": {"databases": databases}, "secrets": ["dsn"]}
    text = _with_spec(plan="includes", parameters={"includes": [sql]}, parametersFrom=[{"kind": "Secret", "name": "s"}])
    assert _validate("-", text=text).stdout == "-:1: mine is valid\n"


@pytest.mark.parametrize("page", sorted(LIBRARY.glob("*.md")), ids=lambda page: page.stem)
def test_the_plans_of_the_documentation_are_valid(page: Path) -> None:
    for block in blocks(page.read_text()):
        if block.language == "yaml" and "kind: Plan\n" in block.text:
            result = _validate("-", text=block.text)
            assert result.exit_code == 0, f"line {block.line}: {result.stdout}"
