import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.errors import KubectlFailed, StartFailed, Unavailable
from tests.cluster.kubeconfig import adopt
from tests.cluster.launch import Source

_VARIABLE = "EXECLOOP_TEST_KUBECONFIG"


def find() -> Source:
    """Who names a cluster wants no other: that it is not there is a fault."""
    path = os.environ.get(_VARIABLE)
    if not path:
        raise Unavailable(f"{_VARIABLE} is not set")
    if not Path(path).is_file():
        raise StartFailed(f"{_VARIABLE} names no file: {path}")
    return Source("existing", str(Path(path).resolve()))


@contextmanager
def run(folder: Path, argument: str) -> Iterator[Cluster]:
    """`argument` is the kubeconfig; its current context counts."""
    try:
        cluster = adopt(Path(argument), folder)
    except (KubectlFailed, Unavailable) as error:
        raise StartFailed(f"{_VARIABLE}={argument}: {error}") from error
    yield cluster
