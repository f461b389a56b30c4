"""The part of the lock that the image installs."""

import re
from importlib.metadata import version

from release.locked import needed, read

EXPECTED = {"aiohttp", "click", "kopf", "kubernetes", "pydantic", "pydantic-core", "pyyaml", "prometheus-client"}
OF_DEVELOPERS = {"pytest", "mypy", "ruff", "hypothesis", "rich", "kubernetes-validate"}


def test_it_has_what_the_operator_needs_and_nothing_of_the_developers() -> None:
    names = {entry.name for entry in needed(["operator"])}
    assert names >= EXPECTED
    assert names & OF_DEVELOPERS == set()


def test_every_entry_is_pinned_with_hashes() -> None:
    for entry in read().values():
        assert re.fullmatch(r"[\w.+!]+", entry.version)
        assert entry.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in entry.hashes)


def test_it_is_what_is_installed_here() -> None:
    assert {entry.name: entry.version for entry in needed(["operator"])} == {
        entry.name: version(entry.name) for entry in needed(["operator"])
    }
