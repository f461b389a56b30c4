"""The examples of docs/library/http.md, and what an operator shows of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, operating
from tests.unit.library.http.api import Api, answers, serving

PAGE = (Path(__file__).parents[2] / "docs" / "library" / "http.md").read_text()
TOKEN = "s3cret-horse"


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, "--plan-address=127.0.0.1") as running:
        yield running


@pytest.fixture
def api(operator: Operator) -> Iterator[Api]:
    with serving() as made:
        yield made


def example(api: Api, number: int, **spec: Any) -> dict[str, Any]:
    """A Plan of the page, for the server of this test."""
    text = [block.text for block in blocks(PAGE) if block.language == "yaml"][number]
    plan: dict[str, Any] = yaml.safe_load(text.replace("https://api.example.com", api.url))
    del plan["metadata"]["namespace"], plan["spec"]["serviceAccountName"]
    plan["spec"] |= spec
    return plan


def apply(kubectl: Kubectl, *objects: dict[str, Any]) -> None:
    kubectl("apply", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def secret(token: str = TOKEN) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "teams-api"}, "stringData": {"token": token}}


def test_the_first_example_makes_a_resource_repairs_it_and_deletes_it(plans: Plans, kubectl: Kubectl, api: Api) -> None:
    apply(kubectl, secret(), example(api, 0, interval="1s"))
    plans.wait("team-blue")
    assert api.objects["/v1/teams/blue"] == {"size": 3, "labels": {"owner": "shop"}}
    assert api.headers[-1]["Authorization"] == f"Bearer {TOKEN}"

    api.objects["/v1/teams/blue"]["size"] = 9
    plans.until(lambda: api.objects["/v1/teams/blue"]["size"] == 3, "the drift is repaired")

    apply(kubectl, secret("another-horse"))
    plans.until(lambda: api.headers[-1]["Authorization"] == "Bearer another-horse", "the new token is used")

    kubectl("delete", "plan", "team-blue", "--timeout=60s")
    assert api.objects == {}


def test_the_second_example_finds_its_resource_by_search(plans: Plans, kubectl: Kubectl, api: Api) -> None:
    listed = answers(body={"data": [{"name": "red", "id": "7"}]})
    api.objects["/v1/teams/7"] = {"name": "red", "size": 4, "state": "active"}
    api.faults = [listed, None, listed, None, None, listed, None]
    apply(kubectl, secret(), example(api, 1, interval="0s"))
    plans.wait("team-red")
    assert api.objects["/v1/teams/7"]["size"] == 5


def test_neither_status_nor_events_nor_log_have_the_token(
    plans: Plans, kubectl: Kubectl, api: Api, operator: Operator
) -> None:
    api.faults = [answers(400, {"message": f"the token {TOKEN} is wrong"})] * 100
    apply(kubectl, secret(), example(api, 0, errorsToTolerate=0, deletionPolicy="Orphan"))
    plans.wait("team-blue", "Stalled")
    assert "was answered with 400: the token …" in plans.message("team-blue")
    assert "horse" not in kubectl("get", "plan,events", "--output=json") + operator.said()


def test_an_internal_address_is_refused(plans: Plans, kubectl: Kubectl, api: Api) -> None:
    plan = example(api, 0, errorsToTolerate=0, deletionPolicy="Orphan")
    plan["spec"]["parameters"]["url"] = "http://169.254.169.254/latest/meta-data"
    apply(kubectl, secret(), plan)
    plans.wait("team-blue", "Stalled")
    assert "is an internal address" in plans.message("team-blue")
