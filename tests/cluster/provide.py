import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster import chain
from tests.cluster.cluster import Cluster
from tests.cluster.errors import NoCluster
from tests.cluster.locks import locked


@contextmanager
def provide(folder: Path | None = None, *, least: bool = False) -> Iterator[Cluster]:
    """A cluster that ends with its last user: all who name one folder at a time use the same.

    With `least` it may lack a controller manager, where that would have to be built.
    Raises NoCluster, and StartFailed where there should be one and it is broken.
    """
    disposable = folder is None
    place = folder or Path(tempfile.mkdtemp(prefix="execloop-"))
    supervisor: subprocess.Popen[str] | None = None
    try:
        with ExitStack() as use:
            with locked(place):
                use.enter_context(locked(place / "users", shared=True))
                cluster = running(place)
                if cluster is None:
                    supervisor = _start(place, disposable=disposable, least=least)
                    cluster = Cluster.from_json((place / "cluster.json").read_text())
            yield cluster
    finally:
        if supervisor:
            supervisor.wait()  # also for the others' end: who started it reaps it
        elif disposable:
            shutil.rmtree(place, ignore_errors=True)  # a supervisor that was ended may have done it


def running(folder: Path) -> Cluster | None:
    try:
        cluster = Cluster.from_json((folder / "cluster.json").read_text())
    except FileNotFoundError:
        return None
    return cluster if cluster.ready() else None


def _start(folder: Path, *, disposable: bool, least: bool) -> subprocess.Popen[str]:
    """Asks the providers once: who comes later to the same folder gets the same answer, and no second build."""
    verdict = folder / "no-cluster.json"
    if verdict.exists():
        raise NoCluster(tuple(json.loads(verdict.read_text())))
    try:
        return chain.start(folder, disposable=disposable, least=least)
    except NoCluster as none:
        verdict.write_text(json.dumps(none.reasons))
        raise
