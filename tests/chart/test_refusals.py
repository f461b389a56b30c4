"""A wrong value is refused with a message that names it."""

from typing import Any

import pytest

from tests.chart.rendering import Chart, Refused

SCHEMA: list[tuple[dict[str, Any], str]] = [
    ({"replica": 2}, "additional properties 'replica' not allowed"),
    ({"replicas": "two"}, "at '/replicas': got string, want integer"),
    ({"replicas": -1}, "at '/replicas': minimum: got -1, want 0"),
    ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of"),
    ({"image": {"repository": ""}}, "at '/image/repository'"),
    ({"image": {"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"),
    ({"watch": {"namespaces": "team-a"}}, "at '/watch/namespaces': got string, want array"),
    ({"watch": {"namespaces": ["Team"]}}, "at '/watch/namespaces/0': 'Team' does not match pattern"),
    ({"operator": {"workers": 0}}, "at '/operator/workers': minimum: got 0, want 1"),
    ({"operator": {"logFormat": "xml"}}, "at '/operator/logFormat': value must be one of 'json', 'plain'"),
    ({"operator": {"allow": ["team-a"]}}, "at '/operator/allow/0': 'team-a' does not match pattern"),
    ({"operator": {"manifestsNamespaces": ["a/b"]}}, "at '/operator/manifestsNamespaces/0': 'a/b' does not match"),
    ({"operator": {"port": 80}}, "at '/operator/port': minimum: got 80, want 1,024"),
    ({"plans": {"volume": {"emptyDir": {}, "hostPath": {}}}}, "at '/plans/volume': maxProperties: got 2, want 1"),
    ({"rbac": {"extraRules": [{"resources": ["pods"]}]}}, "missing properties 'apiGroups', 'verbs'"),
    ({"rbac": {"readSecrets": "yes"}}, "at '/rbac/readSecrets': got string, want boolean"),
    ({"secrets": {"policy": "none"}}, "at '/secrets/policy': value must be one of 'install', 'look', 'trusted'"),
    ({"impersonation": {"serviceAccounts": ["a"]}}, "at '/impersonation/serviceAccounts/0': got string, want object"),
    (
        {"impersonation": {"serviceAccounts": [{"namespace": "a", "names": []}]}},
        "names': minItems: got 0, want 1",
    ),
    ({"terminationGracePeriodSeconds": 1}, "minimum: got 1, want 10"),
    ({"serviceMonitor": {"interval": "often"}}, "at '/serviceMonitor/interval'"),
    ({"networkPolicy": {"apiServerPorts": [0]}}, "at '/networkPolicy/apiServerPorts/0'"),
]

MEANING: list[tuple[dict[str, Any], str]] = [
    (
        {"leaderElection": {"enabled": False}},
        "replicas: 2 operators would work on the same Plans: set leaderElection.enabled to true",
    ),
    (
        {"operator": {"defaultServiceAccount": "runner"}},
        "operator.defaultServiceAccount: impersonation.serviceAccounts allows no account",
    ),
    (
        {
            "watch": {"namespaces": ["a"]},
            "impersonation": {"serviceAccounts": [{"namespace": "b", "names": ["x"]}]},
        },
        "impersonation.serviceAccounts: b is not in watch.namespaces",
    ),
]


@pytest.mark.parametrize(("values", "message"), SCHEMA, ids=[str(values) for values, _ in SCHEMA])
def test_the_schema_names_the_value_and_what_it_must_be(chart: Chart, values: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as caught:
        chart.render(values)
    assert message in str(caught.value)


@pytest.mark.parametrize(("values", "message"), MEANING, ids=[message for _, message in MEANING])
def test_values_that_contradict_each_other_are_refused_with_the_way_out(
    chart: Chart, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused) as caught:
        chart.render(values)
    assert message in str(caught.value)


def test_a_service_monitor_needs_a_cluster_that_knows_it(chart: Chart) -> None:
    with pytest.raises(Refused, match="install the Prometheus operator first"):
        chart.render({"serviceMonitor": {"enabled": True}}, apis=[])


def test_an_image_volume_needs_a_cluster_that_has_it(chart: Chart) -> None:
    with pytest.raises(Refused, match=r"plans\.image\.reference: Kubernetes v1\.30\.4 has no image volumes"):
        chart.render({"plans": {"image": {"reference": "plans:1"}}}, kube="v1.30.4")


def test_an_old_cluster_is_refused(chart: Chart) -> None:
    with pytest.raises(Refused, match=r"requires kubeVersion: >=1\.30\.0-0 which is incompatible with .* v1\.29\.9"):
        chart.render(kube="v1.29.9")
