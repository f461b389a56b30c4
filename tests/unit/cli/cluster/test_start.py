"""What keeps the command quick to start."""

import subprocess
import sys

import pytest

from execloop.cli import main
from execloop.cli.completion import for_kubectl
from execloop.cli.group import COMMANDS

COSTLY = ("asyncio", "aiohttp", "pydantic", "rich", "yaml", "execloop._public", "execloop.kube")


def test_the_help_of_no_verb_for_a_cluster_imports_what_only_the_verb_needs() -> None:
    modules = sorted({where.partition(":")[0] for where, _ in COMMANDS.values() if ".cluster." in where})
    assert len(modules) >= 16
    program = f"import sys, {', '.join(modules)}\nprint([name for name in {COSTLY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_as_a_plugin_it_calls_itself_what_the_user_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-execloop", "get", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.startswith("Usage: kubectl execloop get ")


def test_it_completes_as_a_plugin_in_kubectls_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-execloop", "res"])
    for_kubectl()
    first, directive, end = capsys.readouterr().out.split("\n")
    assert (first.partition("\t")[0], directive, end) == ("resume", ":4", "")
