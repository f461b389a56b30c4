import asyncio
from typing import Any

import pytest

from execloop.controller.api.secrets_policy import SECRETS_POLICY, secrets_policy
from execloop.controller.api.v1alpha1 import MOST_SOURCES
from execloop.controller.parameters.policy import SecretsPolicy
from execloop.kube import ApiError
from tests.controlling import ADMISSION
from tests.fake_cluster import FakeCluster

BINDING = f"{ADMISSION}/validatingadmissionpolicybindings/{SECRETS_POLICY}"


class Looking:
    def __init__(self, *, trusted: bool = False) -> None:
        self.cluster, self.now = FakeCluster(), 1000.0
        self.policy = SecretsPolicy(self.cluster.kube, lambda: self.now, trusted=trusted)

    def install(self, **binding: Any) -> None:
        policy, bound = secrets_policy()
        self.cluster.answer("POST", f"{ADMISSION}/validatingadmissionpolicies", policy)
        self.cluster.answer(
            "POST",
            f"{ADMISSION}/validatingadmissionpolicybindings",
            {**bound, "spec": {**bound["spec"], **binding}},
        )

    def in_force(self) -> bool:
        return asyncio.run(self.policy.in_force())


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_it_is_in_force_when_it_is_bound(looking: Looking) -> None:
    assert not looking.in_force()
    looking.install()
    looking.now += 30
    assert looking.in_force()


def test_a_policy_that_nothing_binds_is_not_in_force(looking: Looking) -> None:
    looking.install()
    looking.cluster.answer("DELETE", BINDING)
    assert not looking.in_force()


@pytest.mark.parametrize(
    "spec",
    [
        {"validationActions": ["Warn", "Audit"]},
        {"policyName": "another"},
        {"matchResources": {"namespaceSelector": {"matchLabels": {"team": "a"}}}},
        {"matchResources": {"excludeResourceRules": [{"resources": ["plans"]}]}},
    ],
)
def test_a_binding_that_lets_some_plans_through_does_not_count(looking: Looking, spec: dict[str, Any]) -> None:
    looking.install(**spec)
    assert not looking.in_force()


def test_it_is_looked_for_every_five_minutes(looking: Looking) -> None:
    looking.install()
    for seconds, expected in ((0, 2), (299, 2), (1, 4)):
        looking.now += seconds
        assert looking.in_force()
        assert looking.cluster.requests == expected


def test_one_that_goes_is_noticed(looking: Looking) -> None:
    looking.install()
    assert looking.in_force()
    looking.cluster.answer("DELETE", BINDING)
    looking.now += 300
    assert not looking.in_force()


@pytest.mark.parametrize("trusted", [True, False])
def test_where_the_operator_may_not_look_the_administrator_says(trusted: bool) -> None:
    looking = Looking(trusted=trusted)
    looking.cluster.fail_next(403, "Forbidden")
    assert looking.in_force() == trusted


def test_where_the_operator_may_look_it_looks() -> None:
    assert not Looking(trusted=True).in_force()


def test_what_was_in_force_stays_so_while_the_api_server_is_away(looking: Looking) -> None:
    looking.install()
    assert looking.in_force()
    looking.now += 300
    looking.cluster.go_away()
    assert looking.in_force()


def test_without_an_answer_nothing_is_known(looking: Looking) -> None:
    looking.cluster.go_away()
    with pytest.raises(ApiError):
        looking.in_force()


def test_the_policy_has_a_rule_for_each_source() -> None:
    policy, _ = secrets_policy()
    questions = [rule["expression"] for rule in policy["spec"]["validations"] if "check('get')" in rule["expression"]]
    assert [f"parametersFrom[{index}].name" in text for index, text in enumerate(questions)] == [True] * MOST_SOURCES
