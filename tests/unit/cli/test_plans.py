import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import BaseModel

from execloop import plan
from execloop._plans.definition import definition_of
from execloop.cli.group import COMMANDS, execloop
from execloop.cli.local.parameters import parameters_of, schema_of

PLANS = Path(__file__).parents[2] / "plans"


@pytest.fixture(autouse=True)
def _sys_path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def _plans(*arguments: object) -> Result:
    return CliRunner().invoke(execloop, ["plans", *map(str, arguments)])


# -- execloop plans


def test_the_plans_are_a_table_of_one_line_each() -> None:
    result = _plans("--plans", PLANS)
    assert result.exit_code == 0
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["NAME", "ORIGIN", "VERSION", "PARAMETERS"]
    (row,) = [row.split() for row in rows if row.startswith("write-files ")]
    assert row[1] == str(PLANS / "sample_plans.py")
    assert len(row[2]) == 12
    assert row[3:] == ["folder,", "[count],", "[failures],", "[style]"]


def test_the_list_as_json_has_the_schema_of_each() -> None:
    listed = json.loads(_plans("--plans", PLANS, "--json").stdout)
    described = {item["name"]: item for item in listed}
    assert described["write-files"]["description"] == "Writes files."
    assert described["write-files"]["parameters"]["required"] == ["folder"]
    assert described["settled"]["parameters"] == {"type": "object", "additionalProperties": False}
    assert described["free-form"]["parameters"] == {"type": "object"}


def test_a_plan_is_described_with_its_parameters() -> None:
    result = _plans("write-files", "--plans", PLANS)
    assert result.exit_code == 0
    text, _, table = result.stdout.partition("PARAMETER")
    assert text.splitlines()[2:] == ["Writes files.", "", "As many as it is told to.", ""]
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["folder", "path", "(required)", "Where", "the", "files", "are"],
        ["count", "integer", "2"],
        ["failures", "integer", "0"],
        ["style", '"plain"', "|", '"loud"', '"plain"'],
    ]


def test_a_plan_as_json_is_the_schema_of_its_parameters() -> None:
    schema = json.loads(_plans("write-files", "--plans", PLANS, "--json").stdout)
    assert list(schema["properties"]) == ["folder", "count", "failures", "style"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("settled", "It takes no parameters."), ("free-form", "It takes any parameters: it has no model")],
)
def test_a_plan_without_a_model_says_what_it_takes(name: str, words: str) -> None:
    assert words in _plans(name, "--plans", PLANS).stdout


def test_what_cannot_be_used_is_said_beside_the_list(tmp_path: Path) -> None:
    (tmp_path / "broken_for_plans.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "twins_for_plans.py").write_text(
        "from execloop import plan\n@plan('twin')\ndef a(): ...\n@plan('twin')\ndef b(): ...\n"
    )
    result = _plans("--plans", tmp_path)
    assert result.exit_code == 0
    assert "twin: 2 plans have this name: " in result.stderr
    assert "broken_for_plans.py: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in result.stderr


def test_an_unknown_plan_is_wrong_usage() -> None:
    result = _plans("writefiles", "--plans", PLANS)
    assert result.exit_code == 2
    assert "there is no plan 'writefiles'; known plans: write-files, " in result.stderr


def test_a_folder_that_is_not_there_is_wrong_usage() -> None:
    result = _plans("--plans", "no/such/folder")
    assert result.exit_code == 2
    assert "'no/such/folder' does not exist" in result.stderr


def test_no_plans_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execloop._plans.registry.from_entry_points", lambda: ())
    assert "no plans found: install a package that has plans" in _plans("--plans", tmp_path).stderr


class Inner(BaseModel):
    x: int


class Outer(BaseModel):
    inner: Inner
    many: list[Inner]
    maybe: int | None = None
    anything: object = "x"


def test_the_types_of_parameters_are_named_in_a_word_or_two() -> None:
    @plan("typed", parameters=Outer)
    def typed(parameters: Outer) -> None: ...

    definition = definition_of(typed)
    assert definition is not None
    assert [(parameter.name, parameter.type) for parameter in parameters_of(definition)] == [
        ("inner", "Inner"),
        ("many", "array of Inner"),
        ("maybe", "integer | null"),
        ("anything", "any"),
    ]


def test_a_model_that_is_not_pydantics_may_have_no_schema() -> None:
    class Model:
        @staticmethod
        def model_validate(raw: object) -> object:
            return raw

    @plan("own-model", parameters=Model)
    def own_model(parameters: object) -> None: ...

    definition = definition_of(own_model)
    assert definition is not None
    assert schema_of(definition) == {"type": "object"}


# -- the group


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)


def test_help_lists_the_commands_without_importing_what_they_need() -> None:
    heavy = ("rich", "yaml", "pydantic", "kubernetes", "aiohttp", "kopf", "execloop._plans.registry")
    done = _python(
        "import sys; sys.argv[1:] = ['--help']\n"
        "from execloop.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    assert done.returncode == 0
    assert done.stderr == "[]\n"
    width = max(map(len, COMMANDS)) + 2
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name:<{width}}{summary}" in done.stdout


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [("click", [], "cli"), ("yaml", ["run", "x"], "cli"), ("pydantic", ["run", "{plan}"], "cli")],
)
def test_without_an_extra_the_command_says_what_to_install(
    missing: str, arguments: list[str], extra: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("{apiVersion: execloop.dev/v1alpha1, kind: Plan, metadata: {name: x}, spec: {plan: x}}")
    arguments = [argument.format(plan=path) for argument in arguments]
    done = _python(
        f"import sys; sys.modules['{missing}'] = None; sys.argv[1:] = {arguments}\n"
        "from execloop.cli import main\n"
        "main()"
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].endswith(
        f"this needs {missing}, which is not installed: pip install 'execloop[{extra}]'"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["run", "{plan}"], ["preview", "{plan}"], ["validate", "{plan}"]])
def test_manifests_need_no_more_than_the_extra_cli(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("{apiVersion: execloop.dev/v1alpha1, kind: Plan, metadata: {name: x}, spec: {plan: settled}}")
    arguments = [*(argument.format(plan=path) for argument in arguments), "--plans", str(PLANS)]
    done = _python(
        "import sys; sys.modules.update(dict.fromkeys(['kopf', 'kubernetes', 'aiohttp', 'prometheus_client']))\n"
        f"sys.argv[1:] = {arguments}\n"
        "from execloop.cli import main\n"
        "main()"
    )
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_distribution() -> None:
    result = CliRunner().invoke(execloop, ["--version"])
    assert result.stdout.split()[-1] == version("execloop")


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(execloop, ["frobnicate"])
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.stderr


def test_what_a_module_prints_does_not_spoil_the_json(tmp_path: Path) -> None:
    (tmp_path / "talkative_for_plans.py").write_text("print('hello from the module')\n")
    result = _plans("--plans", tmp_path, "--json")
    assert "hello" not in result.stdout
    json.loads(result.stdout)
