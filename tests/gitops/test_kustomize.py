"""docs/gitops/kustomize-references.yaml, through kustomize."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.binaries import built
from tests.cluster.cluster import find_kubectl
from tests.cluster.errors import Unavailable
from tests.gitops.states import DOCS

CONFIGURATION = DOCS / "kustomize-references.yaml"
PLAN = """
apiVersion: execloop.dev/v1alpha1
kind: Plan
metadata: {name: second}
spec:
  plan: migrate
  serviceAccountName: migrator
  dependsOn: [{name: first}]
  parametersFrom:
    - {kind: ConfigMap, name: settings}
    - {kind: Secret, name: database, key: values.yaml}
    - {kind: ConfigMap, name: elsewhere}
---
apiVersion: execloop.dev/v1alpha1
kind: Plan
metadata: {name: first}
spec: {plan: migrate}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: migrator}
"""
KUSTOMIZATION = """
resources: [plan.yaml]
namePrefix: shop-
configurations: [kustomize-references.yaml]
configMapGenerator: [{name: settings, literals: [size=%s]}]
secretGenerator: [{name: database, literals: ["values.yaml=size: %s"]}]
"""


def kustomized(folder: Path, size: str) -> dict[str, Any]:
    """The spec of the Plan `second`."""
    (folder / "plan.yaml").write_text(PLAN)
    (folder / "kustomization.yaml").write_text(KUSTOMIZATION % (size, size))
    shutil.copy(CONFIGURATION, folder)
    try:
        kubectl = find_kubectl(built())
    except Unavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=True)
    plans = {one["metadata"]["name"]: one for one in yaml.safe_load_all(done.stdout) if one["kind"] == "Plan"}
    spec: dict[str, Any] = plans["shop-second"]["spec"]
    return spec


def sources(spec: dict[str, Any]) -> list[str]:
    return [source["name"] for source in spec["parametersFrom"]]


def test_a_plan_names_the_generated_objects_and_what_has_a_prefix(tmp_path: Path) -> None:
    spec = kustomized(tmp_path, "1")
    settings, database, elsewhere = sources(spec)
    assert settings.startswith("shop-settings-")
    assert database.startswith("shop-database-")
    assert elsewhere == "elsewhere"
    assert (spec["serviceAccountName"], spec["dependsOn"]) == ("shop-migrator", [{"name": "shop-first"}])


def test_new_values_change_the_spec(tmp_path: Path) -> None:
    before, after = (sources(kustomized(tmp_path, size)) for size in "12")
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True]
