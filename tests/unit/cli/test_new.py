import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import execloop as package
from execloop.cli.group import execloop

FILES = {
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "pyproject.toml",
    "src/my_plans/__init__.py",
    "src/my_plans/plan.py",
    "tests/test_plan.py",
}


def _new(name: str, into: Path) -> Result:
    return CliRunner().invoke(execloop, ["new", name, "--into", str(into)])


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", str(Path(package.__file__).parents[1])])}
    command = [sys.executable, "-B", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("new")
    assert _new("my-plans", into).exit_code == 0
    return into / "my-plans"


def test_a_package_is_written(made: Path) -> None:
    assert {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()} == FILES


def test_its_own_tests_pass(made: Path) -> None:
    done = _python(made, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_its_plan_runs(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "hello"
    plans = ["--plans", "src/my_plans"]
    done = _python(made, "-m", "execloop.cli", "run", "my-plans", "-p", f"path={target}", *plans)
    assert done.returncode == 0, done.stderr
    assert target.read_text() == "Hello!\n"


def test_its_entry_point_names_the_module_of_the_plan(made: Path) -> None:
    project = tomllib.loads((made / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["execloop.plans"] == {"my-plans": "my_plans.plan"}


def test_its_image_stands_on_one_that_is_given(made: Path) -> None:
    lines = (made / "Dockerfile").read_text().splitlines()
    assert "ARG OPERATOR_IMAGE" in lines
    assert "FROM ${OPERATOR_IMAGE}" in lines


def test_it_is_formatted_and_well_typed(made: Path) -> None:
    for arguments in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "--strict", "src", "tests"]):
        done = _python(made, "-m", *arguments)
        assert done.returncode == 0, done.stdout


def test_a_folder_that_is_there_is_refused(made: Path) -> None:
    result = _new("my-plans", made.parent)
    assert result.exit_code == 2
    assert "my-plans exists: choose another name, or another place with --into" in result.stderr


@pytest.mark.parametrize("name", ["My-Plans", "my_plans", "1st", "-x", "x-", "a/b", "", "x" * 64])
def test_a_name_that_no_plan_could_have_is_refused(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(execloop, ["new", "--into", str(tmp_path), "--", name])
    assert result.exit_code == 2
    assert "should be lower-case letters, digits and '-'" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["json", "class", "execloop", "tests"])
def test_a_name_that_would_hide_a_module_is_refused(name: str, tmp_path: Path) -> None:
    result = _new(name, tmp_path)
    assert result.exit_code == 2
    assert f"'{name}' would hide a module of that name" in result.stderr
