"""`helm template`, and what came of it."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Manifest: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Any]

CHART = Path(__file__).parents[2] / "charts" / "execloop"
NAMESPACE = "execloop-system"
KUBE_VERSION = "v1.37.2"
MONITORING = "monitoring.coreos.com/v1/ServiceMonitor"
MUTATING = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


class Refused(Exception):
    """The message is what helm wrote."""


class Rendered(list[Manifest]):
    def of(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self if manifest["kind"] in kinds]

    def one(self, kind: str, suffix: str = "") -> Manifest:
        (found,) = [manifest for manifest in self.of(kind) if manifest["metadata"]["name"].endswith(suffix)]
        return found

    @property
    def pod(self) -> Manifest:
        spec: Manifest = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Manifest:
        (only,) = self.pod["containers"]
        found: Manifest = only
        return found


class Chart:
    def __init__(self, helm: Path, folder: Path) -> None:
        self._helm, self._values = helm, folder / "values.yaml"

    def render(
        self, values: Values | None = None, *, kube: str = KUBE_VERSION, apis: Sequence[str] = (MUTATING, MONITORING)
    ) -> Rendered:
        """What `helm template` makes of the values, hooks included. Raises Refused."""
        self._values.write_text(json.dumps(values or {}))
        options = [f"--namespace={NAMESPACE}", f"--values={self._values}", f"--kube-version={kube}"]
        options += [f"--api-versions={api}" for api in apis]
        command: list[str | Path] = [self._helm, "template", "execloop", CHART, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(done.stderr)
        return Rendered(document for document in yaml.safe_load_all(done.stdout) if document)

    def lint(self) -> str:
        done = subprocess.run([self._helm, "lint", "--strict", CHART], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr
