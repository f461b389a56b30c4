"""`execloop teardowns` on a real API server."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest

from execloop.cli.cluster.admin.teardowns import FINALIZER
from tests.cluster import Cluster
from tests.integration.operating import Plans, manifest

Command: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teardowns(cluster: Cluster, namespace: str, crd: None) -> Command:
    def run(*options: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "execloop.cli", "teardowns", f"--kubeconfig={cluster.kubeconfig}"]
        done = subprocess.run(
            [*command, f"--namespace={namespace}", *options], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def plans(cluster: Cluster, namespace: str, crd: None) -> Plans:
    """`free` has no finalizer, `held` has ours and another's."""
    plans = Plans(cluster, namespace)
    plans.apply(manifest("free", "marks"), manifest("held", "marks"))
    finalizers(plans, FINALIZER, "example.com/other")
    return plans


def finalizers(plans: Plans, *names: str) -> None:
    patch = json.dumps({"metadata": {"finalizers": names}})
    plans.kubectl("patch", "plan", "held", "--type=merge", f"--patch={patch}")


def test_plans_with_a_teardown_to_do_are_named_and_fail_the_command(
    teardowns: Command, plans: Plans, namespace: str
) -> None:
    code, out, err = teardowns()
    assert (code, out) == (1, f"{namespace}/held\n")
    assert "uninstall.removeFinalizers=true" in err
    assert plans.get("held")["metadata"]["finalizers"] == [FINALIZER, "example.com/other"]
    finalizers(plans)


def test_our_finalizer_and_no_other_is_taken_off_when_asked_for(
    teardowns: Command, plans: Plans, namespace: str
) -> None:
    code, out, err = teardowns("--remove-finalizers")
    assert (code, out, err) == (0, f"{namespace}/held\n", "1 Plans lost their finalizer; their teardown does not run\n")
    assert plans.get("held")["metadata"]["finalizers"] == ["example.com/other"]
    assert teardowns()[:2] == (0, "")
    finalizers(plans)
