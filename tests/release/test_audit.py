"""The look for known vulnerabilities, with a database of the test's own."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from release import audit


def database(folder: Path, *advisories: dict[str, Any]) -> Path:
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, advisory in enumerate(advisories):
            archive.writestr(f"GHSA-{number}.json", json.dumps({"id": f"GHSA-{number}", **advisory}))
    return path


def affecting(name: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    package = {"ecosystem": "PyPI", "name": name}
    return {"affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": list(events)}], **more}]}


@pytest.mark.parametrize(
    ("events", "vulnerable"),
    [
        ([{"introduced": "0"}], True),
        ([{"introduced": "0"}, {"fixed": "1.5"}], False),
        ([{"introduced": "0"}, {"fixed": "1.6"}], True),
        ([{"introduced": "1.6"}], False),
        ([{"introduced": "1.0"}, {"last_affected": "1.5"}], True),
        ([{"introduced": "1.0"}, {"last_affected": "1.4"}], False),
        ([{"fixed": "1.2"}, {"introduced": "1.0"}, {"introduced": "1.4"}, {"fixed": "1.10"}], True),
    ],
)
def test_a_version_in_a_range_is_vulnerable(tmp_path: Path, events: list[dict[str, str]], vulnerable: bool) -> None:
    found = audit.findings(database(tmp_path, affecting("Some_Thing", *events)), {"some-thing": "1.5"})
    assert [finding.name for finding in found] == ["some-thing"] * vulnerable


def test_a_listed_version_is_vulnerable_and_a_withdrawn_advisory_says_nothing(tmp_path: Path) -> None:
    listed = affecting("a", versions=["1.5"])
    path = database(tmp_path, {**listed, "summary": "it leaks"}, {**listed, "withdrawn": "2026-01-01T00:00:00Z"})
    assert list(map(str, audit.findings(path, {"a": "1.5"}))) == ["a 1.5: GHSA-0: it leaks"]


def test_other_ecosystems_and_other_packages_do_not_count(tmp_path: Path) -> None:
    other = affecting("a", {"introduced": "0"})
    other["affected"][0]["package"]["ecosystem"] = "npm"
    assert audit.findings(database(tmp_path, other, affecting("b", {"introduced": "0"})), {"a": "1"}) == []


def test_without_a_database_it_says_that_nothing_was_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["audit"])
    assert audit.main() == 2
    assert "NOT CHECKED" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"no zip"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not an OSV database"):
        audit.findings(path, {})


def test_the_lock_is_what_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["audit", str(database(tmp_path, affecting("kopf", {"introduced": "0"})))])
    assert audit.main() == 1
    assert "kopf " in capsys.readouterr().out
