import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.cluster.errors import KubectlFailed, StartFailed, Unavailable

_KUBECTL_SECONDS = 300
_RESTART_SECONDS = 60


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path
    server: str
    token: str | None = field(default=None, repr=False)
    bin: Path | None = None
    """The folder of the cluster's own binaries, kubectl among them."""
    controller_manager: bool = False
    """Whether owners are followed by garbage collection, and deleted namespaces go away."""
    supervisor: int | None = None
    """The process that holds the control plane, where it is ours."""

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002  subprocess's own word
        """What kubectl printed; with `check=False` also what it wrote to stderr, instead of raising KubectlFailed."""
        command = self.command(*args)
        done = subprocess.run(
            command, input=input, capture_output=True, text=True, timeout=_KUBECTL_SECONDS, check=False
        )
        if check and done.returncode:
            raise KubectlFailed(f"kubectl {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout if check else done.stdout + done.stderr

    def command(self, *args: str) -> list[str]:
        """The command line of a kubectl for this cluster."""
        cache = self.kubeconfig.parent / "kubectl-cache"
        return [str(find_kubectl(self.bin)), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={cache}", *args]

    def ready(self) -> bool:
        return self.kubectl("get", "--raw=/readyz", "--request-timeout=5s", check=False) == "ok"

    def stop_api_server(self) -> None:
        """As a crash would: at once. For a control plane of the test's own, never for a shared one."""
        self._signal(signal.SIGUSR1)
        wait_until(lambda: not self.ready(), seconds=_RESTART_SECONDS, what="the API server's end")

    def start_api_server(self) -> None:
        """On the same port, with the same data; returns when it is ready."""
        self._signal(signal.SIGUSR2)
        wait_until(self.ready, seconds=_RESTART_SECONDS, what="the API server's return")

    def restart_etcd(self) -> None:
        """As a crash would, with its data; returns when the API server is ready again."""
        self._signal(signal.SIGHUP)
        time.sleep(1)  # the API server takes a moment to see it
        wait_until(self.ready, seconds=_RESTART_SECONDS, what="the return of etcd")

    def _signal(self, number: signal.Signals) -> None:
        if self.supervisor is None:
            raise Unavailable(f"the API server at {self.server} is not ours to stop or start")
        os.kill(self.supervisor, number)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Cluster":
        fields = json.loads(text)
        fields["kubeconfig"] = Path(fields["kubeconfig"])
        fields["bin"] = Path(fields["bin"]) if fields["bin"] else None
        return cls(**fields)


def find_kubectl(folder: Path | None = None) -> Path:
    """The one beside the cluster's other binaries, else the one on the PATH."""
    path = os.pathsep.join([*([str(folder)] if folder else []), os.environ.get("PATH", os.defpath)])
    if found := shutil.which("kubectl", path=path):
        return Path(found)
    raise Unavailable("kubectl is not on the PATH")


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StartFailed(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.05)
