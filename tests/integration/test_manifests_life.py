"""The life of what `manifests` applied: healthy, pruned, adopted, replaced, torn down."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating

pytestmark = pytest.mark.usefixtures("operator")

Object = dict[str, Any]


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    reach = [f"--manifests-namespace={namespace}-new", "--manifests-namespace=Namespace"]
    with operating(cluster, [namespace], tmp_path, *reach) as running:
        yield running


def configmap(name: str, annotations: dict[str, str] | None = None, **data: str) -> Object:
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def plan(name: str, *objects: Object, spec: Object | None = None, **parameters: Any) -> Object:
    quick: Object = {"sleepBetweenRuns": "200ms", "errorBackoff": {"initial": "200ms", "max": "1s"}}
    return manifest(name, "manifests", parameters={"objects": list(objects), **parameters}, **quick, **(spec or {}))


def names(kubectl: Kubectl, kind: str = "configmaps") -> set[str]:
    return set(kubectl("get", kind, "--output=jsonpath={.items[*].metadata.name}").split()) - {"kube-root-ca.crt"}


def ready(plans: Plans, name: str, generation: int) -> None:
    plans.until(
        lambda: (s := plans.status(name)).get("observedGeneration") == generation and s.get("state") == "Converged",
        f"{name} converges",
    )


class TestInventory:
    def test_it_names_each_object(self, plans: Plans, namespace: str) -> None:
        plans.apply(plan("a", configmap("c"), configmap("b")))
        plans.wait("a")
        assert plans.status("a")["inventory"] == [f"ConfigMap/{namespace}/b", f"ConfigMap/{namespace}/c"]

    def test_it_has_what_was_applied_though_another_object_is_refused(self, plans: Plans, namespace: str) -> None:
        plans.apply(plan("a", configmap("c"), configmap("Not A Name"), spec={"errorsToTolerate": 0}))
        plans.wait("a", "Stalled")
        assert plans.status("a")["inventory"] == [f"ConfigMap/{namespace}/c"]


class TestErrors:
    def bad(self) -> list[Object]:
        return [configmap("One"), configmap("fine"), configmap("Two")]

    def test_all_refused_objects_are_named_at_once_and_the_others_applied(self, plans: Plans, kubectl: Kubectl) -> None:
        plans.apply(plan("a", *self.bad(), spec={"errorsToTolerate": 0}))
        plans.wait("a", "Stalled")
        assert all(part in plans.message("a") for part in ("2 of 3", "/One: ", "/Two: ", "metadata.name"))
        assert names(kubectl) == {"fine"}
        assert plans.status("a")["execution"]["errors"] == 1

    def test_with_stop_none_is_applied(self, plans: Plans, kubectl: Kubectl) -> None:
        plans.apply(plan("a", *self.bad(), onError="stop", spec={"errorsToTolerate": 0}))
        plans.wait("a", "Stalled")
        assert all(part in plans.message("a") for part in ("2 of 3, and none is applied", "/One: ", "/Two: "))
        assert names(kubectl) == set()


class TestPrune:
    def test_what_left_the_list_is_deleted(self, plans: Plans, kubectl: Kubectl, namespace: str) -> None:
        plans.apply(plan("a", configmap("c"), configmap("b"), prune=True))
        plans.wait("a")
        plans.apply(plan("a", configmap("c"), prune=True))
        ready(plans, "a", 2)
        assert names(kubectl) == {"c"}
        assert plans.status("a")["inventory"] == [f"ConfigMap/{namespace}/c"]

    def test_without_prune_it_stays(self, plans: Plans, kubectl: Kubectl) -> None:
        plans.apply(plan("a", configmap("c"), configmap("b")))
        plans.wait("a")
        plans.apply(plan("a", configmap("c")))
        ready(plans, "a", 2)
        assert names(kubectl) == {"b", "c"}

    def test_what_is_another_s_by_now_stays_and_leaves_the_inventory(
        self, plans: Plans, kubectl: Kubectl, namespace: str
    ) -> None:
        all_three = configmap("c"), configmap("kept"), configmap("other")
        plans.apply(plan("a", *all_three, prune=True))
        plans.wait("a")
        plans.apply(plan("a", *all_three, prune=True, spec={"suspend": True}))
        plans.wait("a", "Suspended")
        kubectl("annotate", "configmap", "kept", "execloop.dev/prune=disabled")
        kubectl("label", "configmap", "other", "execloop.dev/plan-uid=another", "--overwrite")
        plans.apply(plan("a", configmap("c"), prune=True, spec={"suspend": False}))
        plans.until(lambda: plans.status("a")["inventory"] == [f"ConfigMap/{namespace}/c"], "it let go of both")
        assert names(kubectl) == {"c", "kept", "other"}

    def test_too_many_deletions_wait_for_an_approval(self, plans: Plans, kubectl: Kubectl) -> None:
        plans.apply(plan("a", configmap("c"), configmap("x"), configmap("y"), prune=True))
        plans.wait("a")
        plans.apply(plan("a", configmap("c"), prune=True, maxDeletions=1))
        plans.until(lambda: plans.status("a").get("state") == "NeedsApproval", "it asks")
        assert names(kubectl) == {"c", "x", "y"}
        assert len(plans.status("a")["pending"]["tasks"]) == 2
        plans.annotate("a", approve=plans.status("a")["pending"]["digest"])
        ready(plans, "a", 2)
        assert names(kubectl) == {"c"}

    def test_an_optional_source_that_is_missing_prunes_nothing(self, plans: Plans, kubectl: Kubectl) -> None:
        kubectl("create", "configmap", "extra", f"--from-literal=p={json.dumps({'objects': [configmap('b')]})}")
        source = {"parametersFrom": [{"kind": "ConfigMap", "name": "extra", "key": "p", "optional": True}]}
        given = manifest("a", "manifests", parameters={"prune": True}, **source)
        plans.apply(given)
        plans.wait("a")
        basis = json.dumps({"objects": [configmap("c")]})
        kubectl("create", "configmap", "basis", f"--from-literal=p={basis}")
        kubectl("delete", "configmap", "extra")
        both = [{"kind": "ConfigMap", "name": "basis", "key": "p"}, *source["parametersFrom"]]
        plans.apply(manifest("a", "manifests", parameters={"prune": True}, parametersFrom=both))
        ready(plans, "a", 2)
        assert names(kubectl) == {"b", "basis", "c"}


class TestHealth:
    def deployment(self, **spec: Any) -> Object:
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "example.invalid/none"}]},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
        }

    def test_an_object_on_its_way_is_a_wait_with_its_message(
        self, plans: Plans, kubectl: Kubectl, namespace: str
    ) -> None:
        later = configmap("later", {"execloop.dev/wave": "1"})
        plans.apply(plan("a", later, self.deployment()))
        plans.until(lambda: plans.condition("a") == ("Unknown", "Waiting"), "it waits")
        assert f"Deployment {namespace}/web: " in plans.message("a")
        assert plans.status("a")["execution"]["errors"] == 0
        assert names(kubectl) == set()  # a wave waits until the one before is healthy

    def test_a_new_spec_ends_a_wait_that_would_never_end(self, plans: Plans, kubectl: Kubectl) -> None:
        plans.apply(plan("a", self.deployment()))
        plans.until(lambda: plans.condition("a") == ("Unknown", "Waiting"), "it waits")
        plans.apply(plan("a", self.deployment(replicas=0)))
        ready(plans, "a", 2)

    def test_without_wait_it_is_enough_that_it_is_applied(self, plans: Plans) -> None:
        plans.apply(plan("a", self.deployment(), wait=False))
        plans.wait("a")


class TestAdoption:
    def test_what_people_made_is_adopted(self, plans: Plans, kubectl: Kubectl) -> None:
        kubectl("create", "configmap", "c", "--from-literal=a=old")
        plans.apply(plan("a", configmap("c", a="new")))
        plans.wait("a")
        assert kubectl("get", "configmap", "c", "--output=jsonpath={.data.a}") == "new"

    @pytest.mark.parametrize(("adopt", "word"), [("IfUnowned", "Helm (shop)"), ("Never", "exists already")])
    def test_what_another_tool_manages_is_left_to_it(
        self, plans: Plans, kubectl: Kubectl, adopt: str, word: str
    ) -> None:
        kubectl("create", "configmap", "c", "--from-literal=a=old")
        kubectl("annotate", "configmap", "c", "meta.helm.sh/release-name=shop")
        plans.apply(plan("a", configmap("c", a="new"), adopt=adopt, spec={"errorsToTolerate": 0}))
        plans.wait("a", "Stalled")
        assert word in plans.message("a")
        assert kubectl("get", "configmap", "c", "--output=jsonpath={.data.a}") == "old"
        assert "inventory" not in plans.status("a")

    def test_with_force_it_is_taken(self, plans: Plans, kubectl: Kubectl) -> None:
        kubectl("create", "configmap", "c", "--from-literal=a=old")
        kubectl("annotate", "configmap", "c", "meta.helm.sh/release-name=shop")
        plans.apply(plan("a", configmap("c", a="new"), adopt="Force"))
        plans.wait("a")
        assert kubectl("get", "configmap", "c", "--output=jsonpath={.data.a}") == "new"


class TestImmutableFields:
    def test_it_is_an_error_with_a_hint(self, plans: Plans) -> None:
        plans.apply(plan("a", {**configmap("c", a="1"), "immutable": True}))
        plans.wait("a")
        plans.apply(plan("a", {**configmap("c", a="2"), "immutable": True}, spec={"errorsToTolerate": 0}))
        plans.wait("a", "Stalled")
        assert "field is immutable" in plans.message("a")
        assert "recreate: true" in plans.message("a")

    def test_with_recreate_it_is_deleted_and_made_again(self, plans: Plans, kubectl: Kubectl) -> None:
        plans.apply(plan("a", {**configmap("c", a="1"), "immutable": True}))
        plans.wait("a")
        plans.apply(plan("a", {**configmap("c", a="2"), "immutable": True}, recreate=True))
        ready(plans, "a", 2)
        assert kubectl("get", "configmap", "c", "--output=jsonpath={.data.a}") == "2"


def test_an_ignored_field_is_applied_once_and_then_left_alone(plans: Plans, kubectl: Kubectl) -> None:
    ignore = [{"kind": "ConfigMap", "name": "c", "paths": ["/data/size"]}]
    plans.apply(plan("a", configmap("c", size="1", a="1"), ignore=ignore))
    plans.wait("a")
    kubectl("patch", "configmap", "c", "--type=merge", '--patch={"data":{"a":"spoilt","size":"9"}}')
    plans.until(lambda: kubectl("get", "configmap", "c", "--output=jsonpath={.data.a}") == "1", "a is restored")
    assert kubectl("get", "configmap", "c", "--output=jsonpath={.data.size}") == "9"


def test_objects_are_the_documents_of_a_configmap_with_values_and_common_labels(plans: Plans, kubectl: Kubectl) -> None:
    text = "\n---\n".join(json.dumps(configmap(name, colour="${colour}")) for name in ("b", "c"))
    kubectl("create", "configmap", "source", f"--from-literal=objects={text}")
    given = {"substitute": {"colour": "blue"}, "commonMetadata": {"labels": {"team": "shop"}}}
    plans.apply(manifest("a", "manifests", parameters=given, parametersFrom=[{"kind": "ConfigMap", "name": "source"}]))
    plans.wait("a")
    got = kubectl("get", "configmaps", "--selector=team=shop", "--output=jsonpath={.items[*].data.colour}")
    assert got == "blue blue"


def test_a_preview_shows_a_diff_of_each_object_also_in_a_namespace_that_is_missing(
    plans: Plans, kubectl: Kubectl, namespace: str
) -> None:
    plans.apply(plan("a", configmap("c", a="1"), configmap("gone"), prune=True))
    plans.wait("a")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hidden-value"}}
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-new"}}
    inside = configmap("inside", b="2")
    inside["metadata"]["namespace"] = f"{namespace}-new"
    changed = plan("a", configmap("c", a="2"), secret, home, inside, prune=True, spec={"mode": "Preview"})
    plans.apply(changed)
    plans.annotate("a", preview="now")
    plans.until(lambda: "preview" in plans.status("a"), "it answers")
    shown = {task["name"]: task.get("detail", "") for task in plans.status("a")["preview"]["tasks"]}
    assert '~ data.a: "1" -> "2"' in shown[f"change ConfigMap {namespace}/c"]
    assert '+ data.b: "2"' in shown[f"create ConfigMap {namespace}-new/inside"]
    assert "***" in shown[f"create Secret {namespace}/s"]
    assert f"delete ConfigMap {namespace}/gone" in shown
    assert "hidden-value" not in json.dumps(plans.status("a"))


TEARDOWN: Object = {"deletionPolicy": "Teardown"}


class TestTeardown:
    def test_what_it_made_is_deleted_and_what_it_did_not_make_stays(self, plans: Plans, kubectl: Kubectl) -> None:
        kubectl("create", "configmap", "people-s")
        plans.apply(plan("a", configmap("c"), configmap("b", {"execloop.dev/wave": "1"}), spec=TEARDOWN))
        plans.wait("a")
        kubectl("delete", "plan", "a", "--timeout=60s")
        assert names(kubectl) == {"people-s"}

    def test_it_waits_for_finalizers_in_the_reverse_order(self, plans: Plans, kubectl: Kubectl) -> None:
        last = configmap("last", {"execloop.dev/wave": "1"})
        last["metadata"]["finalizers"] = ["example.com/hold"]
        plans.apply(plan("a", configmap("first"), last, spec=TEARDOWN))
        plans.wait("a")
        kubectl("delete", "plan", "a", "--wait=false")
        plans.until(lambda: "is being deleted" in plans.message("a"), "it waits")
        assert names(kubectl) == {"first", "last"}
        kubectl("patch", "configmap", "last", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
        plans.until(lambda: names(kubectl) == set(), "both are gone")
        kubectl("wait", "--for=delete", "plan/a", "--timeout=60s")


_PAGE = Path(__file__).parents[2] / "docs" / "library" / "manifests.md"


def test_the_example_of_the_page_works_with_the_rights_that_it_names(
    plans: Plans, kubectl: Kubectl, namespace: str
) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    example, *_, role = (yaml.safe_load(block) for block in blocks if "apiVersion" in block)
    kubectl("create", "serviceaccount", "shop")
    kubectl("apply", "--filename=-", input=json.dumps(role))
    kubectl("create", "rolebinding", "shop", "--role=shop", f"--serviceaccount={namespace}:shop")
    example["spec"]["serviceAccountName"] = "shop"
    plans.apply(example)
    plans.wait("shop")
    assert kubectl("get", "configmap", "settings", "--output=jsonpath={.data.theme}") == "blue"
    del example["spec"]["parameters"]["objects"][1]
    plans.apply(example)
    ready(plans, "shop", 2)
    assert names(kubectl) == {"settings"}
    kubectl("delete", "plan", "shop", "--timeout=60s")
    assert names(kubectl) == set()
