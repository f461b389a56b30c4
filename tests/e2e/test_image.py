"""The operator's image."""

import json
import re
import time
from collections.abc import Callable

import pytest

from release import image as release_image
from tests.cluster.docker import docker
from tests.e2e.site import IMAGE, Site

_TIMES = re.compile(r"(\d+)m([\d.]+)s")
_MEGABYTE = 1_000_000
_UNNAMED = ["run", "--rm", "--read-only", "--user=12345:12345", "--cap-drop=ALL", "--network=none"]

pytestmark = pytest.mark.usefixtures("site")


def inspect(image: str, field: str) -> str:
    return docker("image", "inspect", f"--format={{{{json .{field}}}}}", image)


def test_it_adds_no_more_than_260_megabytes_to_its_base(site: Site, tell: Callable[[str], None]) -> None:
    added = (int(inspect(IMAGE, "Size")) - int(inspect(site.base, "Size"))) / _MEGABYTE
    tell(f"the image adds {added:.0f} MB to {site.base}")
    assert added <= 260


def test_it_starts_within_two_seconds_with_a_read_only_root_and_a_user_without_a_name(
    tell: Callable[[str], None],
) -> None:
    """Of processor time, which a busy machine does not change; all imports, until it has looked for a cluster."""
    start = time.monotonic()
    printed = docker(*_UNNAMED, "--entrypoint=sh", IMAGE, "-c", "execloop operator 2>&1; times").splitlines()
    seconds = time.monotonic() - start
    assert "no cluster" in printed[0]
    worked = sum(60 * float(minutes) + float(rest) for minutes, rest in _TIMES.findall(printed[-1]))
    tell(f"the image starts with {worked:.2f} s of processor time; its container took {seconds:.2f} s by the clock")
    assert worked < 2


def test_it_says_who_it_is_and_runs_as_a_number() -> None:
    config = json.loads(inspect(IMAGE, "Config"))
    assert config["User"] == "65532:65532"
    assert (config["Entrypoint"], config["Cmd"]) == (["execloop"], ["operator", "--plans=/plans"])
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == release_image.version()
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_it_has_neither_pip_nor_a_file_that_its_user_may_write() -> None:
    script = "command -v pip; find /opt/execloop /plans -writable; find /opt/execloop -perm -4000"
    assert docker("run", "--rm", "--entrypoint=sh", IMAGE, "-c", script) == ""


def test_equal_sources_make_equal_layers(site: Site) -> None:
    """Built from scratch once more, on the same base."""
    again = f"{IMAGE}-again"
    release_image.build(site.base, again, "e2e", cache=False)
    layers = [inspect(image, "RootFS.Layers") for image in (IMAGE, again)]
    docker("image", "rm", again)
    assert layers[0] == layers[1]
