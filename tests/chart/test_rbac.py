"""Who may do what: no rule is wider than this list, and no rule is there without a reason in docs/install.md."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest

from tests.chart.rendering import NAMESPACE, Chart, Manifest, Rendered, Values

PLANS, STATUS = "execloop.dev/plans", "execloop.dev/plans/status"


class Right(NamedTuple):
    """One verb on one resource. `scope` is a namespace, or `*` for all; `names` limits it to objects of these names."""

    verb: str
    resource: str
    scope: str = "*"
    names: tuple[str, ...] = ()


def rights(verbs: str, resource: str, scope: str = "*", *names: str) -> set[Right]:
    return {Right(verb, resource, scope, names) for verb in verbs.split()}


LEASE = {
    *rights("get update watch", "coordination.k8s.io/leases", NAMESPACE, "execloop"),
    *rights("create list", "coordination.k8s.io/leases", NAMESPACE),
}
SHARDS = rights("get list create update delete", "coordination.k8s.io/leases", NAMESPACE)

LOOK = {
    right
    for plural in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    for right in rights("get", f"admissionregistration.k8s.io/{plural}", "*", "plans.execloop.dev-secrets")
}
OWN = LEASE | LOOK
"""Whatever the operator watches."""


def working(scope: str) -> set[Right]:
    """What the operator needs where it watches."""
    return {
        *rights("get list watch patch delete", PLANS, scope),
        *rights("update", STATUS, scope),
        *rights("create", "events.k8s.io/events", scope),
    }


def held(rendered: Rendered) -> set[Right]:
    """By the operator's own account, through whichever binding."""
    return {right for role, scope in _bound(rendered) for right in _of(role, scope)}


def _bound(rendered: Rendered) -> Iterator[tuple[Manifest, str]]:
    for binding in rendered.of("RoleBinding", "ClusterRoleBinding"):
        assert [subject["name"] for subject in binding["subjects"]] == ["execloop"]
        scope = binding["metadata"].get("namespace", "*")
        reference = binding["roleRef"]
        (role,) = [
            role
            for role in rendered.of(reference["kind"])
            if role["metadata"]["name"] == reference["name"] and role["metadata"].get("namespace", scope) == scope
        ]
        yield role, scope


def _of(role: Manifest, scope: str) -> Iterator[Right]:
    for rule in role["rules"]:
        names = tuple(rule.get("resourceNames", ()))
        for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"]):
            yield Right(verb, f"{group}/{resource}".removeprefix("/"), scope, names)


ACCOUNTS = [{"namespace": "a", "names": ["x"]}, {"namespace": "*", "names": ["y", "z"]}]
CASES: list[tuple[str, Values, Iterable[Right]]] = [
    ("by default", {}, working("*") | OWN),
    ("without leader election", {"leaderElection": {"enabled": False}, "replicas": 1}, working("*") | LOOK),
    ("in two namespaces", {"watch": {"namespaces": ["a", "b"]}}, working("a") | working("b") | OWN),
    (
        "with ConfigMaps",
        {"rbac": {"readConfigMaps": True}},
        working("*") | OWN | rights("get list watch", "configmaps"),
    ),
    ("with Secrets", {"rbac": {"readSecrets": True}}, working("*") | OWN | rights("get list watch", "secrets")),
    (
        "with accounts",
        {"impersonation": {"serviceAccounts": ACCOUNTS}},
        working("*")
        | OWN
        | rights("get impersonate", "serviceaccounts", "a", "x")
        | rights("get impersonate", "serviceaccounts", "*", "y", "z"),
    ),
    (
        "with accounts in one namespace",
        {"watch": {"namespaces": ["a"]}, "impersonation": {"serviceAccounts": ACCOUNTS}},
        working("a")
        | OWN
        | rights("get impersonate", "serviceaccounts", "a", "x")
        | rights("get impersonate", "serviceaccounts", "a", "y", "z"),
    ),
    ("with a policy that is trusted", {"secrets": {"policy": "trusted"}}, working("*") | LEASE),
    (
        "with the page",
        {"page": {"enabled": True}},
        working("*")
        | OWN
        | rights("create", "authentication.k8s.io/tokenreviews")
        | rights("create", "authorization.k8s.io/subjectaccessreviews"),
    ),
    (
        "with the page in one namespace",
        {"page": {"enabled": True}, "watch": {"namespaces": ["a"]}},
        working("a")
        | OWN
        | rights("create", "authentication.k8s.io/tokenreviews")
        | rights("create", "authorization.k8s.io/subjectaccessreviews"),
    ),
    (
        "with a page that impersonates",
        {"page": {"enabled": True, "impersonate": {"secret": "proxy"}}},
        working("*")
        | OWN
        | rights("create", "authentication.k8s.io/tokenreviews")
        | rights("create", "authorization.k8s.io/subjectaccessreviews")
        | rights("impersonate", "users")
        | rights("impersonate", "groups"),
    ),
    ("with impersonation and no page", {"page": {"impersonate": {"secret": "proxy"}}}, working("*") | OWN),
    ("with ranges", {"leaderElection": {"shards": 4}}, working("*") | SHARDS | LOOK),
    ("with none", {"rbac": {"create": False}}, set()),
]


@pytest.mark.parametrize(("values", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_operator_has_these_rights_and_no_others(chart: Chart, values: Values, expected: set[Right]) -> None:
    assert held(chart.render(values)) == expected


EVERYTHING: dict[str, Any] = {
    "rbac": {"readConfigMaps": True, "readSecrets": True},
    "impersonation": {"serviceAccounts": ACCOUNTS},
}


def test_no_role_has_a_wildcard_or_lets_its_holder_become_more(chart: Chart) -> None:
    for role in chart.render(EVERYTHING).of("Role", "ClusterRole"):
        for right in _of(role, ""):
            assert "*" not in right.verb + right.resource
            assert right.verb not in {"escalate", "bind"}
            assert right.resource not in {"roles", "clusterroles", "rolebindings", "clusterrolebindings", "pods/exec"}
            assert right.verb != "impersonate" or right.names


def test_secrets_and_impersonation_are_asked_for(default: Rendered) -> None:
    assert not {right for right in held(default) if right.resource in {"secrets", "configmaps", "serviceaccounts"}}


ROLES = {
    "view": rights("get list watch", PLANS, "") | rights("get list watch", STATUS, ""),
    "edit": rights("get list watch create update patch delete deletecollection", PLANS, "") | rights("get", STATUS, ""),
    "approver": rights("get list watch patch approve", PLANS, "") | rights("get", STATUS, ""),
}


@pytest.mark.parametrize("name", ROLES)
def test_the_roles_for_people_have_these_rights_and_none_writes_a_status(default: Rendered, name: str) -> None:
    assert set(_of(default.one("ClusterRole", f":{name}"), "")) == ROLES[name]


@pytest.mark.parametrize(("name", "targets"), [("view", {"view"}), ("edit", {"edit", "admin"}), ("approver", set())])
def test_the_roles_for_people_are_part_of_the_clusters_own(default: Rendered, name: str, targets: set[str]) -> None:
    labels = default.one("ClusterRole", f":{name}")["metadata"]["labels"]
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {label.removeprefix(prefix) for label in labels if label.startswith(prefix)} == targets
