"""`manifests` with the files of a folder that is mounted into the operator, against the real API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating
from tests.volumes import put

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    found = tmp_path / "mounted" / "shop"
    found.mkdir(parents=True)
    return found


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, volume: Path, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, f"--plan-folder={volume.parent}") as running:
        yield running


def configmap(name: str, **data: str) -> str:
    fields = ", ".join(f"{key}: '{value}'" for key, value in data.items())
    return f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{fields}}}\n"


def names(kubectl: Kubectl) -> set[str]:
    found = kubectl(
        "get", "configmaps", "--selector=execloop.dev/plan-uid", "--output=jsonpath={.items[*].metadata.name}"
    )
    return set(found.split())


def value(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "configmap", name, "--output=jsonpath={.data.a}")


def test_files_are_applied_watched_and_pruned_and_a_volume_that_went_prunes_nothing(
    plans: Plans, kubectl: Kubectl, volume: Path
) -> None:
    put(volume, {"a.yaml": configmap("a", a="1") + configmap("b", a="1"), "sub/c.yaml": configmap("c", a="1")})
    given = {"folder": str(volume), "prune": True}
    plans.apply(manifest("shop", "manifests", parameters=given, interval="1s", errorBackoff={"max": "1s"}))
    plans.wait("shop")
    assert names(kubectl) == {"a", "b", "c"}

    kubectl("patch", "configmap", "c", "--type=merge", '--patch={"data":{"a":"spoilt"}}')
    plans.until(lambda: value(kubectl, "c") == "1", "the drift of a file's object is repaired")

    put(volume, {"a.yaml": configmap("a", a="2"), "moved.yaml": configmap("c", a="1")})
    plans.until(lambda: (value(kubectl, "a"), names(kubectl)) == ("2", {"a", "c"}), "another content is applied")

    volume.rename(volume.parent / "away")
    plans.until(lambda: "which does not exist where plans run" in plans.message("shop"), "it waits for the folder")
    assert names(kubectl) == {"a", "c"}

    (volume.parent / "away").rename(volume)
    plans.wait("shop")


def test_an_approval_is_for_the_content_of_the_files(plans: Plans, kubectl: Kubectl, volume: Path) -> None:
    put(volume, {"a.yaml": configmap("a", a="x" * 5000 + "1")})
    parameters = {"folder": str(volume)}
    plans.apply(manifest("shop", "manifests", parameters=parameters, approval="Manual", interval="1s"))
    plans.until(lambda: bool(digest(plans)), "it waits for an approval")
    first = digest(plans)
    put(volume, {"a.yaml": configmap("a", a="x" * 5000 + "2")})
    plans.until(lambda: digest(plans) not in {"", first}, "another content needs another approval")
    plans.annotate("shop", approve=first)
    assert names(kubectl) == set()
    plans.annotate("shop", approve=digest(plans))
    plans.until(lambda: value(kubectl, "a").endswith("2"), "it is applied")


def digest(plans: Plans) -> str:
    return str(((plans.status("shop") or {}).get("pending") or {}).get("digest", ""))


def test_a_file_that_is_wrong_is_named_with_its_document(plans: Plans, volume: Path) -> None:
    put(volume, {"a.yaml": configmap("a", a="1") + "---\nkind: ConfigMap\n"})
    plans.apply(manifest("shop", "manifests", parameters={"folder": str(volume)}, errorsToTolerate=0))
    plans.wait("shop", "Stalled")
    assert "a.yaml, document 2: apiVersion is missing" in plans.message("shop")
