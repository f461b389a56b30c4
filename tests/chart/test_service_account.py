"""The operator's specification once more, with the rights that the chart gives and no others.

Its operator logs in with a token of the chart's service account. What the chart's roles lack fails here.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.rendering import NAMESPACE, Chart, Rendered
from tests.cluster import Cluster
from tests.integration import test_modes, test_teardown
from tests.integration.access import account
from tests.integration.conftest import Kubectl
from tests.integration.operating import Did, Operator, Plans, manifest, operating
from tests.integration.test_operator import TestConvergence, TestRestart
from tests.integration.test_references import TestParametersFrom, rights

__all__ = ["TestConvergence", "TestParametersFrom", "TestRestart"]

# What the plans of these tests do themselves.
_PLANS_OWN = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch"]}
_RIGHTS = ("Role", "RoleBinding")


def grant(cluster: Cluster, namespace: str, rendered: Rendered, *kinds: str) -> None:
    """The chart's namespace is the test's."""
    items = {"apiVersion": "v1", "kind": "List", "items": rendered.of(*kinds)}
    cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(items).replace(NAMESPACE, namespace))


@pytest.fixture
def operator(
    cluster: Cluster, crd: None, chart: Chart, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> Iterator[Operator]:
    """In place of the one that is an administrator."""
    values = {
        "watch": {"namespaces": [namespace]},
        "rbac": {"readConfigMaps": True, "readSecrets": True, "extraRules": [_PLANS_OWN]},
        "impersonation": {"serviceAccounts": [{"namespace": namespace, "names": ["tenant"]}]},
    }
    kubeconfig = account(cluster, kubectl, namespace, "execloop", tmp_path)
    rendered = chart.render(values)
    grant(cluster, namespace, rendered, *_RIGHTS)
    look = [one for one in rendered if one["metadata"]["name"].endswith(":secrets-policy")]
    grant(cluster, namespace, Rendered(look), "ClusterRole", "ClusterRoleBinding")
    election = ["--leader-elect", "--lease-name=execloop", f"--lease-namespace={namespace}"]
    with operating(dataclasses.replace(cluster, kubeconfig=kubeconfig), [namespace], tmp_path, *election) as running:
        yield running


@pytest.mark.usefixtures("operator")
class TestOnce(test_modes.TestOnce): ...


@pytest.mark.usefixtures("operator")
class TestTeardown(test_teardown.TestTeardown):
    # A namespace that goes takes the operator's role in it along: docs/upgrade.md. The others have a cluster-wide one.
    test_a_namespace_that_goes_does_not_hang = None  # type: ignore[assignment]


@pytest.mark.usefixtures("operator")
class TestImpersonation:
    def test_a_plan_acts_as_an_account_that_the_values_name(self, plans: Plans, did: Did) -> None:
        rights(plans, "tenant")
        plans.apply(manifest("a", "marks", serviceAccountName="tenant"))
        plans.wait("a")
        assert did("a")

    def test_the_api_server_lets_the_operator_become_nobody_else(
        self, plans: Plans, kubectl: Kubectl, namespace: str, did: Did
    ) -> None:
        kubectl("create", "secret", "generic", "treasure", "--from-literal=a=b")
        for name in ("tenant", "other"):
            kubectl("create", "serviceaccount", name)
            kubectl("create", "role", name, "--verb=get", "--resource=secrets")
            kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={namespace}:{name}")
            parameters = {"namespace": namespace, "name": "treasure"}
            plans.apply(manifest(name, "reaches", parameters=parameters, serviceAccountName=name))
            plans.wait(name)
        assert (did("tenant"), did("other")) == (["read True"], ["refused 403"])


FORBIDDEN = [
    "get secrets",
    "list secrets",
    "get configmaps",
    "create pods",
    "update plans.execloop.dev",
    "create plans.execloop.dev",
    "patch plans.execloop.dev --subresource=status",
    "approve plans.execloop.dev",
    "create roles.rbac.authorization.k8s.io",
    "patch customresourcedefinitions.apiextensions.k8s.io",
    "impersonate serviceaccounts",
    "impersonate users",
    "get nodes",
    "delete events.events.k8s.io",
    "delete leases.coordination.k8s.io",
    "watch leases.coordination.k8s.io",
]


def may(cluster: Cluster, who: str, question: str, namespace: str) -> bool:
    """`question` is a verb and a resource, with `--subresource=` for a part of it or `/NAME` for one object."""
    asked = ["auth", "can-i", *question.split(), f"--namespace={namespace}", f"--as={who}"]
    return cluster.kubectl(*asked, check=False).strip().endswith("yes")


def test_by_default_the_account_may_work_and_none_of_these(
    chart: Chart, cluster: Cluster, namespace: str, kubectl: Kubectl, crd: None
) -> None:
    kubectl("create", "serviceaccount", "execloop")
    grant(cluster, namespace, chart.render({"watch": {"namespaces": [namespace]}}), *_RIGHTS)
    who = f"system:serviceaccount:{namespace}:execloop"
    assert may(cluster, who, "watch plans.execloop.dev", namespace)
    assert may(cluster, who, "update plans.execloop.dev --subresource=status", namespace)
    assert may(cluster, who, "update leases.coordination.k8s.io/execloop", namespace)
    assert not may(cluster, who, "update leases.coordination.k8s.io/other", namespace)
    assert not may(cluster, who, "watch plans.execloop.dev", "default")
    assert [question for question in FORBIDDEN if may(cluster, who, question, namespace)] == []


MAY = {
    "view": ({"get"}, {"create", "patch", "approve"}),
    "edit": ({"get", "create", "patch", "delete"}, {"approve"}),
    "admin": ({"get", "create", "patch", "delete"}, {"approve"}),
}


@pytest.mark.parametrize("role", MAY)
def test_the_clusters_own_roles_cover_plans_and_never_their_status(
    chart: Chart, cluster: Cluster, namespace: str, kubectl: Kubectl, crd: None, role: str
) -> None:
    grant(cluster, namespace, chart.render(), "ClusterRole")
    kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}")
    allowed, refused = MAY[role]
    plans = Plans(cluster, namespace)
    plans.until(lambda: may(cluster, role, "get plans.execloop.dev", namespace), "the roles are aggregated")
    verbs = {verb for verb in allowed | refused if may(cluster, role, f"{verb} plans.execloop.dev", namespace)}
    assert verbs == allowed
    for verb in ("update", "patch"):
        assert not may(cluster, role, f"{verb} plans.execloop.dev --subresource=status", namespace)
