"""`python -m release.audit DATABASE`: known vulnerabilities of what the image installs. Needs no network.

The database is OSV's export for PyPI, a zip file with one JSON file for each advisory.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from release.locked import needed
from release.wheels import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SOURCE = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
_NOT_CHECKED = f"""\
NOT CHECKED. What is known of vulnerabilities changes daily and is not part of this project. Download
  {_SOURCE}
and run this again with its path (make audit DATABASE=all.zip)."""


class Finding(NamedTuple):
    name: str
    version: str
    advisory: str
    summary: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}: {self.advisory}: {self.summary}"


def findings(database: Path, installed: dict[str, str]) -> list[Finding]:
    """`installed`: versions by normalised name. Raises ValueError for a file that is not such a database."""
    try:
        with zipfile.ZipFile(database) as archive:
            advisories = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
    except (OSError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise ValueError(f"{database} is not an OSV database: {error}") from None
    if not advisories:
        raise ValueError(f"{database} is not an OSV database: it has no advisories")
    return sorted(finding for advisory in advisories for finding in _of(advisory, installed))


def _of(advisory: dict[str, Any], installed: dict[str, str]) -> Iterator[Finding]:
    if advisory.get("withdrawn"):
        return
    for affected in advisory.get("affected", ()):
        package = affected.get("package", {})
        name = canonicalize_name(package.get("name", ""))
        if package.get("ecosystem") == "PyPI" and name in installed and is_affected(affected, installed[name]):
            summary = advisory.get("summary") or advisory.get("details", "").partition("\n")[0]
            yield Finding(name, installed[name], advisory["id"], summary)


def is_affected(affected: dict[str, Any], version: str) -> bool:
    """By OSV's rules: in the list of versions, or in one of the ranges."""
    if version in affected.get("versions", ()):
        return True
    ranges = (one for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM")
    return any(_in_range(one["events"], Version(version)) for one in ranges)


def _in_range(events: Iterable[dict[str, str]], version: Version) -> bool:
    inside = False
    for kind, limit in sorted(((*event.items(),)[0] for event in events), key=lambda event: _order(event[1])):
        if kind == "introduced":
            inside = inside or version >= _order(limit)
        elif (kind == "fixed" and version >= _order(limit)) or (kind == "last_affected" and version > _order(limit)):
            inside = False
    return inside


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.audit", description=__doc__)
    parser.add_argument("database", type=Path, nargs="?")
    options = parser.parse_args()
    if options.database is None:
        sys.stderr.write(f"{_NOT_CHECKED}\n")
        return 2
    installed = {entry.name: entry.version for entry in needed(EXTRAS)}
    try:
        found = findings(options.database, installed)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    sys.stderr.write(f"{len(installed)} distributions, {len(found)} known vulnerabilities\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
