"""The main job, seen: a real API server, an operator, three Plans, drift and its repair.

python -m examples.demo [--keep]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import Cluster, NoCluster, provide

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
EXAMPLES = Path(__file__).parent
PATIENCE = 30.0


def say(text: str) -> None:
    print(f"\n\033[1m▸ {text}\033[0m" if sys.stdout.isatty() else f"\n▸ {text}", flush=True)


def start_operator(cluster: Cluster, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "execloop.cli", "operator", f"--kubeconfig={cluster.kubeconfig}"]
    # The Plan `site` has no service account: the operator lets it reach its namespace, and make that.
    command += ["--manifests-namespace=Namespace", "--manifests-namespace=site"]
    with log.open("wb") as file:
        return subprocess.Popen(
            [*command, f"--plans={EXAMPLES / 'plans'}"], stdout=file, stderr=file, start_new_session=True
        )


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not seen within {PATIENCE:.0f} s")
        time.sleep(0.1)


def title(cluster: Cluster) -> str:
    path = "--output=jsonpath={.data.title}"
    return cluster.kubectl("get", "configmap", "page", "--namespace=site", path, check=False)


def show(cluster: Cluster) -> None:
    """What a newcomer should see, in the order in which it happens."""
    kubectl = cluster.kubectl
    say("Three Plans are applied: kubectl apply -f examples/plans.yaml")
    print(kubectl("apply", f"--filename={EXAMPLES / 'plans.yaml'}"), flush=True)
    kubectl("wait", "plan/site", "--for=condition=Ready", "--timeout=30s")
    kubectl("wait", "plan/rotation", "--for=condition=Ready", "--timeout=30s")
    kubectl("wait", "plan/door", "--for=condition=Stalled", "--timeout=30s")
    say("Drift: another hand changes the ConfigMap that the Plan `site` manages")
    patch = '--patch={"data":{"title":"Broken"}}'
    print(kubectl("patch", "configmap", "page", "--namespace=site", "--type=merge", patch), end="")
    began = time.monotonic()
    until(lambda: title(cluster) == "Hello")
    print(f"repaired after {time.monotonic() - began:.1f} s: title is {title(cluster)!r} again")
    until(lambda: "DriftRepaired" in kubectl("get", "events"))
    say("What happened: kubectl get events")
    columns = "--output=custom-columns=TYPE:.type,REASON:.reason,PLAN:.involvedObject.name,MESSAGE:.message"
    print(kubectl("get", "events", columns), flush=True)


def watch(cluster: Cluster) -> subprocess.Popen[bytes]:
    return subprocess.Popen(cluster.command("get", "xp", "--watch"))


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=20)


def main() -> None:
    keep = "--keep" in sys.argv[1:]
    with ExitStack() as stack:
        say("A Kubernetes API server starts")
        if keep:
            subprocess.run([sys.executable, "-m", "tests.cluster", "up"], check=True, cwd=ROOT)
        try:
            cluster = stack.enter_context(provide(ROOT / ".cluster" if keep else None))
        except NoCluster as none:
            raise SystemExit(str(none)) from None
        crds = f"--filename={ROOT / 'crds' / 'execloop.dev_plans.yaml'}"
        print(cluster.kubectl("apply", "--server-side", crds), end="")
        cluster.kubectl("wait", "--for=condition=Established", crds)
        folder = stack.enter_context(tempfile.TemporaryDirectory()) if not keep else str(ROOT / ".cluster")
        operator = start_operator(cluster, Path(folder) / "operator.log")
        if not keep:
            stack.callback(end, operator)
        stack.callback(end, watch(cluster))
        show(cluster)
    if keep:
        say(f"Left running; its log is {folder}/operator.log. To end it: kill {operator.pid} && make cluster-down")
        print(f"export KUBECONFIG={cluster.kubeconfig}")


if __name__ == "__main__":
    main()
