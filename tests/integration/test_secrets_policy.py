"""crds/secrets.yaml on a real API server: who names a Secret in a Plan must be allowed to read it."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.cluster.cluster import wait_until

pytestmark = pytest.mark.usefixtures("crd")

POLICY = Path(__file__).parents[2] / "crds" / "secrets.yaml"
EDITING = "--verb=get,create,update,patch,delete"
REFUSED = "user {} may not get the Secret {}"
CREATED, PATCHED = "plan.execloop.dev/plan created\n", "plan.execloop.dev/plan patched\n"
SECRET = {"kind": "Secret", "name": "treasure"}
OTHER = {"kind": "Secret", "name": "other"}
CONFIG_MAP = {"kind": "ConfigMap", "name": "settings"}


@dataclass
class Guarded:
    """A namespace where `author` may write Plans, and `reader` may also read the Secret `treasure`, and no other."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *args: str, user: str = "admin", **options: Any) -> str:
        acting = [] if user == "admin" else [f"--as={user}"]
        return self.cluster.kubectl(f"--namespace={self.namespace}", *acting, *args, **options)

    def create(self, user: str, *sources: dict[str, str], **spec: Any) -> str:
        """What kubectl said."""
        content = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "plan"}}
        manifest = json.dumps({**content, "spec": {"plan": "noop", "parametersFrom": sources, **spec}})
        return self.kubectl("create", "--filename=-", user=user, input=manifest, check=False)

    def change(self, user: str, *options: str, **fields: Any) -> str:
        patch = f"--patch={json.dumps(fields)}"
        return self.kubectl("patch", "plan", "plan", "--type=merge", patch, *options, user=user, check=False)


@pytest.fixture(scope="module")
def policy(cluster: Cluster, crd: None) -> Iterator[Guarded]:
    """Once the API server enforces it. The fixture `crd` has installed it for every namespace."""
    guarded = Guarded(cluster, f"secrets-{secrets.token_hex(4)}")
    cluster.kubectl("create", "namespace", guarded.namespace)
    for user in ("author", "reader"):
        guarded.kubectl("create", "role", user, "--resource=plans.execloop.dev,plans.execloop.dev/status", EDITING)
        guarded.kubectl("create", "rolebinding", user, f"--role={user}", f"--user={user}")
    guarded.kubectl("create", "role", "treasure", "--verb=get", "--resource=secrets", "--resource-name=treasure")
    guarded.kubectl("create", "rolebinding", "treasure", "--role=treasure", "--user=reader")
    wait_until(lambda: "may not get" in _tried(guarded), seconds=30, what="the policy to be enforced")
    yield guarded
    cluster.kubectl("delete", "namespace", guarded.namespace, "--wait=false")


def _tried(guarded: Guarded) -> str:
    said = guarded.create("author", SECRET)
    guarded.kubectl("delete", "plan", "plan", "--ignore-not-found")
    return said


@pytest.fixture
def guarded(policy: Guarded) -> Iterator[Guarded]:
    yield policy
    policy.kubectl("delete", "plan", "plan", "--ignore-not-found", "--wait=false")
    policy.kubectl("patch", "plan", "plan", "--type=merge", '--patch={"metadata":{"finalizers":null}}', check=False)


def test_an_author_who_may_not_read_a_secret_does_not_name_it(guarded: Guarded) -> None:
    assert f"spec.parametersFrom[0]: {REFUSED.format('author', 'treasure')}" in guarded.create("author", SECRET)


def test_an_author_who_may_read_it_does(guarded: Guarded) -> None:
    assert guarded.create("reader", SECRET) == CREATED


def test_a_right_to_one_secret_is_none_to_another(guarded: Guarded) -> None:
    assert f"spec.parametersFrom[1]: {REFUSED.format('reader', 'other')}" in guarded.create("reader", SECRET, OTHER)


def test_a_service_account_does_not_stand_in_for_the_authors_right(guarded: Guarded) -> None:
    assert "may not get" in guarded.create("author", SECRET, serviceAccountName="deployer")


def test_an_optional_secret_is_a_secret(guarded: Guarded) -> None:
    assert "may not get" in guarded.create("author", {**SECRET, "optional": True})  # type: ignore[dict-item]


def test_config_maps_alone_ask_for_nothing(guarded: Guarded) -> None:
    assert guarded.create("author", CONFIG_MAP) == CREATED


@pytest.mark.parametrize(
    "spec",
    [
        {"plan": "another"},
        {"parameters": {"guess": "hunter2"}},
        {"parametersFrom": [CONFIG_MAP, SECRET]},
        {"serviceAccountName": "deployer"},
    ],
    ids=["plan", "parameters", "parametersFrom", "serviceAccountName"],
)
def test_who_may_not_read_it_does_not_change_what_is_done_with_it(guarded: Guarded, spec: dict[str, Any]) -> None:
    guarded.create("reader", SECRET)
    assert "user author may not get the Secret treasure" in guarded.change("author", spec=spec)
    assert guarded.change("reader", spec=spec) == PATCHED


@pytest.mark.parametrize(
    "fields",
    [
        {"spec": {"suspend": True}},
        {"spec": {"interval": "1h"}},
        {"metadata": {"annotations": {"execloop.dev/requestedAt": "now"}}},
        {"metadata": {"finalizers": ["execloop.dev/x"]}},
    ],
    ids=["suspend", "interval", "annotation", "finalizer"],
)
def test_anybody_who_may_write_plans_changes_the_rest(guarded: Guarded, fields: dict[str, Any]) -> None:
    guarded.create("reader", SECRET)
    assert guarded.change("author", **fields) == PATCHED


def test_the_status_is_written_without_a_right_to_the_secret(guarded: Guarded) -> None:
    guarded.create("reader", SECRET)
    assert guarded.change("author", "--subresource=status", status={"progress": "1/2"}) == PATCHED


def test_anybody_who_may_write_plans_stops_the_use_of_a_secret(guarded: Guarded) -> None:
    guarded.create("reader", SECRET)
    assert guarded.change("author", spec={"parametersFrom": []}) == PATCHED


def test_an_administrator_names_as_many_as_there_may_be(guarded: Guarded) -> None:
    sixteen = [{"kind": "Secret", "name": f"s{index}"} for index in range(16)]
    assert guarded.create("admin", *sixteen) == CREATED


def test_the_last_of_sixteen_is_asked_for_too(guarded: Guarded) -> None:
    sources = [SECRET] * 15 + [OTHER]
    assert f"spec.parametersFrom[15]: {REFUSED.format('reader', 'other')}" in guarded.create("reader", *sources)


def test_a_seventeenth_source_is_refused(guarded: Guarded) -> None:
    said = guarded.create("admin", *[{"kind": "Secret", "name": f"s{index}"} for index in range(17)])
    assert "spec.parametersFrom: Too many: 17: must have at most 16 items" in said


def test_the_policy_is_good_as_it_is_shipped(cluster: Cluster) -> None:
    said = cluster.kubectl("apply", "--server-side", "--dry-run=server", f"--filename={POLICY}")
    assert len(said.splitlines()) == len(list(yaml.safe_load_all(POLICY.read_text("utf-8"))))
