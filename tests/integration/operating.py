"""The operator as people run it: a process of its own, against the real API server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from tests.cluster import Cluster

Did: TypeAlias = Callable[[str], list[str]]
"""What the plan of a Plan did, by the Plan's name."""

PLANS = Path(__file__).parent / "plans"


class Operator:
    def __init__(self, kubeconfig: Path, namespaces: Sequence[str], log: Path, world: Path, *options: str) -> None:
        self.log = log
        self._command = [sys.executable, "-m", "execloop.cli", "operator", "--kubeconfig", str(kubeconfig)]
        self._command += [
            f"--plans={PLANS}",
            f"--journal={log.with_suffix('.journal')}",
            *options,
            *(f"--namespace={n}" for n in namespaces),
        ]
        self._environment = {**os.environ, "EXECLOOP_TEST_WORLD": str(world)}
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def operating(
    cluster: Cluster,
    namespaces: Sequence[str],
    folder: Path,
    *options: str,
    world: Path | None = None,
    kubeconfig: Path | None = None,
) -> Iterator[Operator]:
    """`world` is the folder that plans do their work in, `kubeconfig` who the operator is, if not the cluster's."""
    log = folder / "operator.log"
    operator = Operator(kubeconfig or cluster.kubeconfig, namespaces, log, world or folder, *options)
    try:
        yield operator
    finally:
        if operator.process.poll() is None:
            operator.kill()


def manifest(name: str, plan: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "execloop.dev/v1alpha1",
        "kind": "Plan",
        "metadata": {"name": name},
        "spec": {"plan": plan, **spec},
    }


class Plans:
    """The Plans of one namespace, through kubectl as users have it."""

    def __init__(self, cluster: Cluster, namespace: str = "default") -> None:
        self.kubectl = partial(cluster.kubectl, f"--namespace={namespace}")
        self.command = partial(cluster.command, f"--namespace={namespace}")

    def apply(self, *manifests: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(items))

    def patch(self, name: str, **spec: Any) -> None:
        self.kubectl("patch", "plan", name, "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "plan", name, "--output=json"))
        return found

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(name).get("status", {})
        return found

    def condition(self, name: str, kind: str = "Ready") -> tuple[str, str]:
        """(status, reason); empty when it is not there."""
        for condition in self.status(name).get("conditions", []):
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return "", ""

    def message(self, name: str, kind: str = "") -> str:
        """Of that condition; without one the whole message, of which Ready may have the beginning."""
        messages = {c["type"]: str(c["message"]) for c in self.status(name).get("conditions", [])}
        return (
            messages.get(kind, "")
            if kind
            else next((messages[one] for one in ("Stalled", "Reconciling", "Ready") if one in messages), "")
        )

    def annotate(self, name: str, **annotations: str) -> None:
        self.kubectl(
            "annotate", "plan", name, "--overwrite", *(f"execloop.dev/{k}={v}" for k, v in annotations.items())
        )

    def events(self, name: str) -> str:
        return self.kubectl("get", "events", f"--field-selector=involvedObject.name={name}")

    def wait(self, name: str, condition: str = "Ready", seconds: int = 60) -> None:
        self.kubectl("wait", f"--for=condition={condition}", f"plan/{name}", f"--timeout={seconds}s")

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            time.sleep(0.1)

    @contextmanager
    def watched(self, log: Path) -> Iterator[Callable[[], list[str]]]:
        """`name resourceVersion` of each state of each Plan from now on, as the API server tells them."""
        line = "--output=jsonpath={.metadata.name} {.metadata.resourceVersion}{'\\n'}"
        with log.open("w") as file:
            watch = subprocess.Popen(self.command("get", "plans", "--watch", line), stdout=file)
        try:
            yield lambda: log.read_text().splitlines()
        finally:
            watch.terminate()
            watch.wait()
