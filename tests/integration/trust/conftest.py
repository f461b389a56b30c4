"""An operator that the tests of a module share, with Plans that misbehave; a test has names of its own."""

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from tests.cluster import Cluster
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Operator, Plans, operating

_PLANS = Path(__file__).parent / "plans"
_TEMPLATE = (
    "--output=jsonpath={.metadata.name}|{.metadata.generation}|{.status.observedGeneration}|"
    "{.status.conditions[?(@.type=='Ready')].status}|{.status.conditions[?(@.type=='Ready')].reason}{'\\n'}"
)


class State(NamedTuple):
    """What the API server told of a Plan; texts, empty where a field is missing."""

    name: str
    generation: str
    observed: str
    ready: str
    reason: str


@dataclass(frozen=True, slots=True)
class Site:
    operator: Operator
    endpoints: Endpoints
    plans: Plans
    namespace: str
    world: Path

    def marks(self, name: str) -> list[str]:
        """What the plan of a Plan did."""
        file = self.world / f"{self.namespace}-{name}"
        return file.read_text().splitlines() if file.exists() else []

    def open(self, gate: str) -> None:
        """Let the code go on that waits for it."""
        (self.world / gate).touch()

    def until(self, name: str, mark: str, seconds: float = 30.0) -> None:
        self.plans.until(lambda: mark in self.marks(name), f"{name} did {mark!r}", seconds)

    def alive(self) -> bool:
        return self.operator.process.poll() is None

    @contextmanager
    def watched(self, name: str) -> Iterator[Callable[[], list[State]]]:
        """Every state of a Plan from now on."""
        log = self.world / f"{name}.states"
        command = self.plans.command("get", "plans", "--watch", f"--field-selector=metadata.name={name}", _TEMPLATE)
        with log.open("w") as file:
            watch = subprocess.Popen(command, stdout=file)
        try:
            yield lambda: [State(*line.split("|")) for line in log.read_text().splitlines()]
        finally:
            watch.kill()
            watch.wait()


Start: TypeAlias = Callable[..., Site]


@contextmanager
def running(
    cluster: Cluster, folder: Path, *options: str, namespaces: Sequence[str] = (), kubeconfig: Path | None = None
) -> Iterator[Site]:
    """An operator for fresh namespaces; the first is the site's."""
    names = namespaces or (f"trust-{secrets.token_hex(4)}",)
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
    cluster.kubectl("create", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    with (
        Endpoints.reserved() as endpoints,
        operating(
            cluster,
            names,
            folder,
            f"--plans={_PLANS}",
            f"--health-port={endpoints.port}",
            *options,
            kubeconfig=kubeconfig,
        ) as operator,
    ):
        yield Site(operator, endpoints, Plans(cluster, names[0]), names[0], folder)
    cluster.kubectl("delete", "namespace", *names, "--wait=false")


@pytest.fixture(scope="module")
def shared(cluster: Cluster, crd: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(cluster, tmp_path_factory.mktemp("shared")) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    """The module's operator, started again where the test before has ended it."""
    yield from _fresh(shared)


@pytest.fixture
def own(cluster: Cluster, crd: None, tmp_path: Path) -> Iterator[Start]:
    """Starts an operator of the test's own, with options."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(running(cluster, tmp_path, *options))


def _fresh(site: Site) -> Iterator[Site]:
    if not site.alive():
        site.operator.start()
    site.plans.until(lambda: site.endpoints.ready() == "ok", "the operator is ready", 30)
    yield site
    site.plans.kubectl("delete", "plan", "--all", "--wait=false")
