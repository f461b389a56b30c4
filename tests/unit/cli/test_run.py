import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from execloop.cli.group import execloop

PLANS = Path(__file__).parents[2] / "plans"


def _run(*arguments: object, **keywords: Any) -> Result:
    return CliRunner().invoke(execloop, ["run", "--plans", str(PLANS), *map(str, arguments)], **keywords)


def _manifest(folder: Path, **spec: Any) -> Path:
    path = folder / "plan.yaml"
    manifest = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "mine"}, "spec": spec}
    path.write_text(json.dumps(manifest))
    return path


# -- how it ends


def test_a_plan_that_converges_exits_with_0(tmp_path: Path) -> None:
    result = _run("write-files", "-p", f"folder={tmp_path}", "-p", "count=1")
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["f0"]
    lines = result.stdout.splitlines()
    assert lines[:2] == ["run 1: 1 task (f0), 5 errors left", "f0 done"]
    assert lines[-1].startswith("write-files: converged: 2 runs, 1 task, 0 errors in ")


@pytest.mark.parametrize(
    ("plan", "code", "message"),
    [
        ("unreachable", 1, "unreachable: failed: create() raised OSError: unreachable"),
        ("fatal", 1, "fatal: failed: FatalError: hopeless"),
        ("exits", 1, "exits: failed: SystemExit: 3"),
        ("not-tasks", 1, "not-tasks: failed: NotTasks: create() of the plan 'not-tasks' returned 'a name'"),
        ("needs-cluster", 1, "needs-cluster: failed: create() raised NoCluster: no cluster"),
        ("no-such-plan", 2, "Error: there is no plan 'no-such-plan'; known plans: "),
    ],
)
def test_what_went_wrong_is_one_line_and_never_a_traceback(
    plan: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    result = _run(plan)
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.output


def test_a_spent_budget_exits_with_1(tmp_path: Path) -> None:
    file = _manifest(
        tmp_path,
        plan="write-files",
        parameters={"folder": str(tmp_path), "failures": 9},
        errorsToTolerate=1,
        sleepBetweenRuns="0s",
    )
    result = _run(file)
    assert result.exit_code == 1
    assert "mine: failed: 2 errors, 1 tolerated; the last: OSError: disk \\x1b[31mfull\n  second line" in result.stderr


def test_a_deadline_exits_with_124(tmp_path: Path) -> None:
    result = _run(_manifest(tmp_path, plan="blocked", executionTimeout="10ms"))
    assert result.exit_code == 124
    assert "mine: failed: not converged within 0.01 seconds" in result.stderr


def test_a_traceback_begins_in_the_plan() -> None:
    result = _run("unreachable", "--traceback")
    assert result.exit_code == 1
    _, first, second, *_, last = result.stderr[result.stderr.index("Traceback") :].splitlines()
    assert "sample_plans.py" in first
    assert 'raise OSError("unreachable")' in second
    assert last == "OSError: unreachable"


def test_the_traceback_of_a_spent_budget_is_that_of_its_last_error(tmp_path: Path) -> None:
    spec = {"plan": "write-files", "parameters": {"folder": str(tmp_path), "failures": 9}, "errorsToTolerate": 0}
    result = _run(_manifest(tmp_path, **spec), "--traceback")
    assert "in _write\n" in result.stderr
    assert "ToleranceExceeded" not in result.stderr


# -- what it is told


def test_a_manifest_gives_parameters_and_options(tmp_path: Path) -> None:
    spec = {"plan": "write-files", "parameters": {"folder": str(tmp_path), "count": 3}, "sleepBetweenRuns": "1ms"}
    result = _run(_manifest(tmp_path, **spec, errorsToTolerate=-1, executionTimeout="0s", parallelism=2))
    assert result.exit_code == 0
    assert "run 1: 3 tasks (f0, f1, f2)\n" in result.stdout
    assert "asking again in 0.001 s" in result.stdout


def test_what_p_says_comes_after_what_the_manifest_says(tmp_path: Path) -> None:
    file = _manifest(tmp_path, plan="write-files", parameters={"folder": str(tmp_path), "count": 3})
    result = _run(file, "-p", "count=0", "-p", "style=loud")
    assert result.stdout.startswith("mine: converged: 1 run, 0 tasks")


def test_a_manifest_may_come_from_standard_input(tmp_path: Path) -> None:
    result = _run("-", input=_manifest(tmp_path, plan="settled").read_text())
    assert result.exit_code == 0


def test_parameters_that_stand_in_the_cluster_are_said_to_be_missing(tmp_path: Path) -> None:
    result = _run(_manifest(tmp_path, plan="settled", parametersFrom=[{"kind": "Secret", "name": "s"}]))
    assert result.exit_code == 0
    assert "plan.yaml:1:spec.parametersFrom: is not read on this machine" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["write-files", "-p", "count"], "-p count: should be key=value, such as -p replicas=3"),
        (["write-files", "-p", "=3"], "-p =3: should be key=value"),
        (["write-files", "-p", "a..b=3"], "-p a..b=3: should be key=value"),
        (["write-files", "-p", "count=[1"], "-p count: not YAML"),
        (["write-files", "-p", "a=1", "-p", "a.b=2"], "-p a.b: a has a value already"),
        (["write-files"], "parameters.folder: Field required"),
        (
            ["write-files", "-p", "folder=/", "-p", "cuont=3"],
            "parameters.cuont: there is no such parameter; did you",
        ),
        (["settled", "-p", "x=1"], "parameters.x: the plan 'settled' takes no parameters"),
        (["missing.yaml"], "missing.yaml:1: No such file or directory"),
        (["settled", "--kubeconfig", "missing"], "File 'missing' does not exist"),
        (["settled", "--kubeconfig", __file__], "test_run.py"),
        ([], "Missing argument 'NAME|FILE.yaml|FILE.py'"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(arguments: list[str], message: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan.yaml: should have one Plan, not 0"),
        (
            "{apiVersion: execloop.dev/v1alpha1, kind: Plan, spec: {plan: settled}}",
            "plan.yaml:1:metadata.name: is missing",
        ),
        ("a: [", "plan.yaml:1: not YAML: "),
    ],
)
def test_a_manifest_that_cannot_be_run_is_wrong_usage(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    result = _run(path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_manifest_with_two_plans_is_wrong_usage_that_names_them(tmp_path: Path) -> None:
    path = _manifest(tmp_path, plan="settled")
    path.write_text(f"{path.read_text()}\n---\n{path.read_text().replace('mine', 'other')}")
    result = _run(path)
    assert result.exit_code == 2
    assert "should have one Plan, not 2: mine, other" in result.stderr


def test_values_are_yaml_and_dotted_keys_nest() -> None:
    result = _run(
        "free-form", "-p", "a.b=1", "-p", "a.c=[x, y]", "-p", r"d\.e=2026-07-01", "-p", "f=null", "-p", "g=x=y"
    )
    assert result.exit_code == 0
    assert "free-form" in result.stdout


# -- --json


def test_json_is_a_report_and_nothing_else(tmp_path: Path) -> None:
    result = _run("write-files", "--json", "-p", f"folder={tmp_path}", "-p", "failures=1", "-p", "count=1")
    report = json.loads(result.stdout)
    assert report.pop("seconds") >= 0
    assert report == {
        "plan": "write-files",
        "result": "Converged",
        "error": None,
        "runs": 3,
        "tasks": 2,
        "errorCount": 1,
        "errors": [{"task": "f0[0]", "phase": "perform", "error": "OSError: disk \x1b[31mfull\nsecond line"}],
        "waits": [],
    }


@pytest.mark.parametrize(
    ("plan", "word", "error", "code"),
    [
        ("unreachable", "CreateFailed", "OSError: unreachable", 1),
        ("fatal", "FatalError", "FatalError: hopeless", 1),
        ("prints", "Converged", None, 0),
    ],
)
def test_json_says_how_it_ended(plan: str, word: str, error: str | None, code: int) -> None:
    result = _run(plan, "--json")
    report = json.loads(result.stdout)
    assert (report["result"], report["error"], result.exit_code) == (word, error, code)


# -- as a process


@contextmanager
def _process(*arguments: str, sigint: Any = signal.SIG_DFL) -> Iterator[subprocess.Popen[str]]:
    """`sigint` is what the command inherits: the default, or SIG_IGN from `nohup`, `&` in a script and cron."""
    command = [sys.executable, "-u", "-m", "execloop.cli", "run", "--plans", str(PLANS), *arguments]
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler if sigint is signal.SIG_DFL else sigint)
    try:
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, inherited)
    with started as process:
        try:
            yield process
        finally:
            process.kill()  # a test that fails does not wait for it


@pytest.mark.parametrize("plan", ["blocked", "blocked-async"])
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_a_blocked_plan_with_a_report(plan: str, number: signal.Signals, code: int, word: str) -> None:
    with _process(plan) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "run 1: 1 task (wait), 5 errors left\n"
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr.startswith(f"{plan}: {word}: 1 run, 1 task, 0 errors in ")
    assert "Traceback" not in stderr


def test_ctrl_c_ends_the_sleep_between_runs_too(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "{apiVersion: execloop.dev/v1alpha1, kind: Plan, metadata: {name: mine}, spec: "
        f"{{plan: write-files, parameters: {{folder: {tmp_path}}}, sleepBetweenRuns: 10m}}}}"
    )
    with _process(str(path)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "run 1 finished; asking again in 600 s\n":
                break
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.startswith("mine: interrupted: 1 run, 2 tasks, 0 errors in ")


def test_an_interrupted_plan_still_reports_in_json() -> None:
    with _process("blocked", "--json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(stdout)["result"] == "Interrupted"


@pytest.mark.parametrize("plan", ["blocked", "blocked-async"])
def test_ctrl_c_leaves_a_command_in_the_background_alone(plan: str) -> None:
    with _process(plan, sigint=signal.SIG_IGN) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "run 1: 1 task (wait), 5 errors left\n"
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert stderr.startswith(f"{plan}: terminated: ")


def _on_a_terminal(*arguments: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "execloop.cli", "run", "--plans", str(PLANS), *arguments]
    environment = {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = bytearray()
        try:
            while chunk := os.read(ours, 65536):
                written += chunk
        except OSError:  # the other end was closed
            pass
        except BaseException:  # such as the test's time limit
            process.kill()
            raise
        os.close(ours)
    return process.returncode, written.decode()


def test_a_terminal_shows_live_progress_and_keeps_the_errors(tmp_path: Path) -> None:
    code, text = _on_a_terminal("write-files", "-p", f"folder={tmp_path}", "-p", "failures=1")
    assert code == 0
    assert "✗ f0 failed in perform: OSError: disk \\x1b[31mfull" in text
    assert "└── " in text
    assert "\x1b[?25h" in text, "the cursor is shown again"
    assert "write-files: converged: 3 runs, 3 tasks, 1 error" in text


# -- waits


def test_lines_say_what_the_plan_waits_for_and_so_does_a_timeout(tmp_path: Path) -> None:
    result = _run(_manifest(tmp_path, plan="waiting", executionTimeout="50ms"))
    assert result.exit_code == 124
    assert result.stdout.startswith("run 1: no task, 5 errors left\nwaiting: the node is not \\x1b[31mready\n")
    waited = "mine: failed: not converged within 0.05 seconds; it waited for: the node is not \\x1b[31mready\n"
    assert result.stderr.startswith(waited)


def test_json_has_the_waits(tmp_path: Path) -> None:
    report = json.loads(_run(_manifest(tmp_path, plan="waiting", executionTimeout="50ms"), "--json").stdout)
    assert report["waits"][0] == {"task": None, "message": "the node is not \x1b[31mready"}
    assert report["errorCount"] == 0


class TestModuleFile:
    ONE = 'from execloop import plan\n\n\n@plan("{name}")\ndef quiet():\n    return []\n'

    def test_the_only_plan_of_a_module_runs_without_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "only.py").write_text(self.ONE.format(name="only-one"))
        (tmp_path / "other.py").write_text(self.ONE.format(name="other"))
        done = CliRunner().invoke(execloop, ["run", str(tmp_path / "only.py")])
        assert (done.exit_code, done.stdout.startswith("only-one: converged")) == (0, True)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "has no plan; a plan of a module is made with @plan"),
            (
                ONE.format(name="a") + ONE.format(name="b").replace("quiet", "calm"),
                "has more than one plan: a, b; give its name",
            ),
            ("1 / 0", "ZeroDivisionError"),
        ],
    )
    def test_another_module_is_a_mistake(self, tmp_path: Path, text: str, problem: str) -> None:
        module = tmp_path / f"wrong_{len(text)}.py"  # Python imports a module of one name once
        module.write_text(text)
        done = CliRunner().invoke(execloop, ["run", str(module)])
        assert (done.exit_code, problem in done.stderr) == (2, True), done.output

    def test_a_module_that_does_not_exist_is_a_mistake(self) -> None:
        done = CliRunner().invoke(execloop, ["run", "absent.py"])
        assert (done.exit_code, done.stderr) == (2, "Error: absent.py: there is no such file\n")


def test_the_namespace_of_the_flag_must_be_that_of_the_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "plan.yaml"
    manifest.write_text(
        "apiVersion: execloop.dev/v1alpha1\nkind: Plan\nmetadata: {name: a, namespace: shop}\nspec: {plan: settled}\n"
    )
    command = ["run", str(manifest), f"--plans={Path(__file__).parents[2] / 'plans'}", "-n"]
    assert CliRunner().invoke(execloop, [*command, "shop"]).exit_code == 0
    refused = CliRunner().invoke(execloop, [*command, "bank"])
    assert (refused.exit_code, "metadata.namespace: is not bank, as --namespace says" in refused.stderr) == (2, True)


# -- with a page


def test_the_page_is_named_on_stderr_and_the_report_stays_json(tmp_path: Path) -> None:
    result = _run("write-files", "-p", f"folder={tmp_path}", "-p", "count=1", "--json", "--page")
    assert json.loads(result.stdout)["result"] == "Converged"
    assert "the page of this run: http://127.0.0.1:" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--page-stay"], "--page-stay needs --page"),
        (["--page=nonsense"], "'nonsense' should be HOST:PORT or :PORT; write --page after the name of the plan"),
        (["--page=0.0.0.0:8090"], "0.0.0.0 is not this machine"),
        (["--page=example.org:8090"], "example.org is not this machine"),
        (["--page=:99999"], "':99999' should be HOST:PORT"),
    ],
)
def test_an_address_that_cannot_be_used_is_said_before_anything_runs(
    options: list[str], message: str, tmp_path: Path
) -> None:
    result = _run("write-files", "-p", f"folder={tmp_path}", "-p", "count=1", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("man", "plain,manifests"), ("folders/pl", "file,folders/pl"), ("no-plan-begins-so", "file,no-plan-begins-so")],
)
def test_the_shell_completes_plans_that_are_installed_and_files(typed: str, offered: str) -> None:
    words = {"COMP_WORDS": f"execloop run {typed}", "COMP_CWORD": "2", "_EXECLOOP_COMPLETE": "bash_complete"}
    assert CliRunner().invoke(execloop, prog_name="execloop", env=words).output.split() == [offered]


def test_a_module_is_run_without_importing_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "wanted_alone.py").write_text(
        "from execloop import plan\n\n@plan('wanted')\ndef wanted():\n    return []\n"
    )
    (tmp_path / "beside_it.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'imported')!r}).touch()\n")
    result = CliRunner().invoke(execloop, ["run", str(tmp_path / "wanted_alone.py")])
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "imported").exists()
