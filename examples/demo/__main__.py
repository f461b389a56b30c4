"""python -m examples.demo [--keep]."""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from examples.demo.background import ROOT, background
from examples.demo.operator_process import Operator
from examples.demo.shell import execloop, kubectl, say, until
from tests.cluster import provide

if TYPE_CHECKING:
    from tests.cluster import Cluster


def on_this_machine() -> None:
    """What needs no cluster is seen while one is made ready."""
    say("A plan on this machine: it finds out what is missing, and does it; one error is tolerated")
    with tempfile.TemporaryDirectory() as folder:
        run = ["run", "workspace", "--plans=plans", "-p", f"root={folder}"]
        execloop(*run)
        say("A file is deleted. The plan looks again, and does only that")
        Path(folder, "users.csv").unlink()
        execloop(*run)


def free_address() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def in_a_cluster(cluster: Cluster, operator: Operator) -> None:
    """What a newcomer should see, in the order in which it happens."""
    say("Four Plans for the operator")
    kubectl(cluster, "apply", "--filename=plans.yaml")
    reached(cluster, operator, "site", "Converged")
    reached(cluster, operator, "backup", "Stalled")
    reached(cluster, operator, "rotation", "Converged")
    reached(cluster, operator, "release", "NeedsApproval")
    execloop("get", cluster=cluster)

    say("One has stalled. Why, and what now?")
    execloop("explain", "backup", cluster=cluster)

    say("One waits for a person")
    execloop("approve", "release", "--yes", cluster=cluster)
    operator.check()
    execloop("wait", "release", "--timeout=60s", cluster=cluster)

    say("Drift: another client changes the ConfigMap that the Plan `site` manages")
    patch = '--patch={"data":{"title":"Broken"}}'
    kubectl(cluster, "patch", "configmap", "page", "--namespace=site", "--type=merge", patch)
    seconds = until(lambda: title(cluster) == "Hello", "the repair of the ConfigMap", operator.check)
    print(f"repaired after {seconds:.1f} s: the title is {title(cluster)!r} again")
    until(lambda: "DriftRepaired" in cluster.kubectl("get", "events"), "the Event of the repair", operator.check)
    execloop("events", "site", cluster=cluster)


def reached(cluster: Cluster, operator: Operator, plan: str, state: str) -> None:
    path = "--output=jsonpath={.status.state}"
    until(lambda: cluster.kubectl("get", "plan", plan, path) == state, f"{plan}: {state}", operator.check)


def title(cluster: Cluster) -> str:
    path = "--output=jsonpath={.data.title}"
    return cluster.kubectl("get", "configmap", "page", "--namespace=site", path, check=False)


def demonstrate(stack: ExitStack, *, keep: bool) -> None:
    folder = ROOT / ".cluster" if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()), "cluster")
    making = stack.enter_context(background(folder, keep=keep))
    on_this_machine()
    say("The same with Kubernetes: a real API server, and the operator beside it")
    began = time.monotonic()
    making.wait()
    print(f"the API server is ready ({time.monotonic() - began:.1f} s more)")
    cluster = stack.enter_context(provide(folder))
    crds = f"--filename={ROOT / 'crds' / 'execloop.dev_plans.yaml'}"
    cluster.kubectl("apply", "--server-side", crds)
    cluster.kubectl("wait", "--for=condition=Established", crds)
    operator = Operator(cluster, folder / "operator.log", page := free_address() if keep else "")
    if keep:
        with ExitStack() as unfinished:
            unfinished.callback(operator.end)
            in_a_cluster(cluster, operator)
            unfinished.pop_all()
        say_what_to_try(f"export KUBECONFIG={cluster.kubeconfig} PATH={folder / 'bin'}:{ROOT / '.venv/bin'}:$PATH")
        print(f"\nThe live page: http://{page}; log in with the token of: kubectl config view --raw")
        print(f"The operator's log: {folder / 'operator.log'}\nTo end all: kill {operator.pid} && make cluster-down")
    else:
        stack.callback(operator.end)
        in_a_cluster(cluster, operator)
        say_what_to_try("make demo KEEP=1     # leaves all of it running, and prints how to reach it")


def say_what_to_try(first: str) -> None:
    say("What to try next")
    print(f"""\
{first}
execloop get --watch             # in another terminal, while you do the rest
execloop tree site               # all of a Plan: conditions, execution, objects
kubectl delete configmap page -n site      # it comes back
execloop suspend site --for 2m --reason "I edit the page"
execloop reconcile backup --wait # a new execution with a new budget; it stalls again
execloop new my-plan             # a package with a plan of your own, and its tests
README.md and docs/plans-for-a-cluster.md  # how to write one""")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with ExitStack() as stack:
            demonstrate(stack, keep="--keep" in sys.argv[1:])
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is left running", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
