import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from execloop.cli.group import execloop

PLANS = Path(__file__).parents[2] / "plans"


def _preview(*arguments: object) -> Result:
    return CliRunner().invoke(execloop, ["preview", "--plans", str(PLANS), *map(str, arguments)])


def test_the_tasks_are_printed_and_none_is_run(tmp_path: Path) -> None:
    result = _preview("write-files", "-p", f"folder={tmp_path}")
    assert result.exit_code == 0
    assert result.stdout == "f0\nf1\n"
    assert not list(tmp_path.iterdir())


def test_json_says_which_tasks(tmp_path: Path) -> None:
    result = _preview("write-files", "-p", f"folder={tmp_path}", "--json")
    assert json.loads(result.stdout) == {"plan": "write-files", "converged": False, "tasks": ["f0", "f1"], "waits": []}


@pytest.mark.parametrize("plan", ["settled", "settled-async", "settled-generator", "prints"])
def test_a_plan_that_needs_nothing_has_converged(plan: str) -> None:
    result = _preview(plan)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.endswith(f"{plan}: converged, nothing to do\n")
    assert json.loads(_preview(plan, "--json").stdout)["converged"] is True


@pytest.mark.parametrize(
    ("plan", "code", "message"),
    [
        ("unreachable", 1, "unreachable: failed: create() raised OSError: unreachable\n"),
        ("exits", 1, "exits: failed: create() raised SystemExit: 3\n"),
        ("not-tasks", 1, "not-tasks: failed: create() raised NotTasks: create() of the plan 'not-tasks' returned"),
        ("no-such-plan", 2, "Error: there is no plan 'no-such-plan'"),
    ],
)
def test_what_went_wrong_is_one_line(plan: str, code: int, message: str) -> None:
    result = _preview(plan)
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.output


def test_a_traceback_is_shown_when_it_is_asked_for() -> None:
    result = _preview("unreachable", "--traceback")
    assert "sample_plans.py" in result.stderr.splitlines()[2]


def test_a_manifest_names_the_plan_and_gives_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "apiVersion: execloop.dev/v1alpha1\nkind: Plan\nmetadata: {name: mine}\n"
        f"spec: {{plan: write-files, parameters: {{folder: {tmp_path}, count: 1}}}}"
    )
    assert _preview(path).stdout == "f0\n"


def test_a_plan_that_waits_has_not_converged() -> None:
    result = _preview("waiting")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "waiting: waits: the node is not \\x1b[31mready\n"
    assert json.loads(_preview("waiting", "--json").stdout)["waits"] == ["the node is not \x1b[31mready"]
