"""What docs/waiting.md says of each way to wait, with a status that no operator has brought up to date yet."""

import json

import pytest
from click.testing import CliRunner

from execloop.cli.group import execloop
from tests.cluster import Cluster
from tests.cluster.errors import KubectlFailed
from tests.integration.conftest import Kubectl
from tests.integration.operating import Plans, manifest

READY = {"type": "Ready", "status": "True", "reason": "Converged", "message": "no tasks remain"}
SINCE = "2026-01-01T12:00:00Z"


@pytest.fixture
def old(plans: Plans, kubectl: Kubectl) -> None:
    """A Plan that is Ready for its generation 1."""
    plans.apply(manifest("old", "marks"))
    condition = {**READY, "observedGeneration": 1, "lastTransitionTime": SINCE}
    patch = {"status": {"observedGeneration": 1, "conditions": [condition]}}
    kubectl("patch", "plan", "old", "--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")


def wait_for(kubectl: Kubectl, condition: str) -> bool:
    try:
        kubectl("wait", f"--for={condition}", "plan/old", "--timeout=1s")
    except KubectlFailed as error:
        if "timed out" not in str(error):
            raise
        return False
    return True


def execloop_wait(cluster: Cluster, namespace: str) -> int:
    place = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
    return CliRunner().invoke(execloop, ["wait", "old", "--timeout=1s", *place]).exit_code


JSONPATH = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True'


@pytest.mark.usefixtures("old")
def test_a_plan_that_is_ready_ends_every_wait(kubectl: Kubectl, cluster: Cluster, namespace: str) -> None:
    assert wait_for(kubectl, "condition=Ready")
    assert wait_for(kubectl, JSONPATH)
    assert execloop_wait(cluster, namespace) == 0


@pytest.mark.usefixtures("old")
def test_after_a_change_of_the_spec_only_the_wait_by_jsonpath_ends_too_early(
    kubectl: Kubectl, cluster: Cluster, namespace: str
) -> None:
    kubectl("patch", "plan", "old", "--type=merge", '--patch={"spec": {"errorsToTolerate": 9}}')
    assert not wait_for(kubectl, "condition=Ready")
    assert wait_for(kubectl, JSONPATH)
    assert execloop_wait(cluster, namespace) == 124


@pytest.mark.usefixtures("old")
def test_after_a_request_only_the_command_waits_for_the_answer(
    kubectl: Kubectl, cluster: Cluster, namespace: str
) -> None:
    kubectl("annotate", "plan", "old", "execloop.dev/requestedAt=now")
    assert wait_for(kubectl, "condition=Ready")
    assert execloop_wait(cluster, namespace) == 124
