import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.errors import StartFailed, Unavailable
from tests.e2e.site import SYSTEM, Site, site


@pytest.fixture(scope="session", name="site")
def a_site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    if os.environ.get("EXECLOOP_E2E") != "1":
        pytest.skip("it starts a Docker daemon and a cluster: only `make e2e` does so")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with ExitStack() as stack:
        try:
            with capture.global_and_fixture_disabled():  # it takes minutes, and tells how far it is
                made = stack.enter_context(site(tmp_path_factory.mktemp("site")))
        except (Unavailable, StartFailed) as reason:
            pytest.skip(f"no cluster with pods here: {reason}")
        yield made
        if request.session.testsfailed:
            _show(made)


def _show(site: Site) -> None:
    """What a failure's cause is looked for in."""
    for arguments in (
        ["get", "pods,jobs,plans", "--all-namespaces"],
        ["describe", "pods", f"--namespace={SYSTEM}"],
        ["logs", f"--namespace={SYSTEM}", "--selector=app.kubernetes.io/name=execloop", "--tail=60", "--prefix"],
    ):
        sys.stderr.write(f"\n$ kubectl {' '.join(arguments)}\n{site.kubectl(*arguments, check=False)}")


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> object:
    """A line for the transcript, also when the test passes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n  {line}\n")

    return tell
