"""What a release publishes."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from release.candidate import differing, distributions, problems


def test_equal_sources_make_equal_distributions() -> None:
    assert differing() == []


def test_the_wheel_has_the_package_and_the_source_archive_no_tests(tmp_path: Path) -> None:
    source, wheel = sorted(distributions(tmp_path), key=lambda path: path.suffix)
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        assert {top for top in tops if not top.endswith(".dist-info")} == {"execloop"}
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    with tarfile.open(source) as archive_of_source:
        folders = {Path(name).parts[1] for name in archive_of_source.getnames()}
    assert folders >= {"operator", "crds", "LICENSE"}
    assert "tests" not in folders


def test_no_file_tells_another_version() -> None:
    assert [problem for problem in problems() if not problem.startswith("CHANGELOG.md")] == []


def test_a_version_that_differs_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("release.candidate.version", lambda: "9.9.9")
    assert "charts/execloop/Chart.yaml: appVersion is 0.1.0, not 9.9.9" in problems()
    assert "CHANGELOG.md has no section 9.9.9" in problems()
