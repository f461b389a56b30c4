"""`python -m release.candidate`: what a release publishes, made and checked, in dist/release. Publishes nothing."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from release.image import version
from release.sbom import bill
from release.wheels import EPOCH

ROOT = Path(__file__).parents[1]
_FOLDER = ROOT / "dist" / "release"


def problems() -> list[str]:
    """What tells another version than pyproject.toml."""
    wanted = version()
    chart = yaml.safe_load((ROOT / "charts/execloop/Chart.yaml").read_text())
    base = yaml.safe_load((ROOT / "kustomize/base/kustomization.yaml").read_text())
    told = {
        "charts/execloop/Chart.yaml: version": chart["version"],
        "charts/execloop/Chart.yaml: appVersion": chart["appVersion"],
        "kustomize/base/kustomization.yaml: newTag": base["images"][0]["newTag"],
    }
    found = [
        f"{place} is {told_version}, not {wanted}" for place, told_version in told.items() if told_version != wanted
    ]
    if f"## {wanted}" not in (ROOT / "CHANGELOG.md").read_text():
        found.append(f"CHANGELOG.md has no section {wanted}")
    return found


def distributions(folder: Path) -> list[Path]:
    """The wheel and the source archive."""
    environment = {"SOURCE_DATE_EPOCH": EPOCH, **os.environ}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return sorted(path for path in folder.iterdir() if path.name.startswith("execloop-"))


def differing() -> list[str]:
    """The distributions that are not the same when they are built a second time."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        pairs = zip(distributions(Path(first)), distributions(Path(second)), strict=True)
        return [one.name for one, other in pairs if one.read_bytes() != other.read_bytes()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.candidate", description=__doc__)
    parser.add_argument("--helm", help="the helm program; without it the chart is not packaged")
    options = parser.parse_args()
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    distributions(_FOLDER)
    (_FOLDER / f"execloop-{version()}.cdx.json").write_text(json.dumps(bill(), indent=2) + "\n")
    if options.helm:
        chart = str(ROOT / "charts" / "execloop")
        subprocess.run([options.helm, "package", chart, f"--destination={_FOLDER}"], check=True, capture_output=True)
    files = sorted(_FOLDER.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (_FOLDER / "SHA256SUMS").write_text("".join(sums))
    sys.stdout.writelines(sums)
    found = [*problems(), *(f"{name} differs when it is built a second time" for name in differing())]
    if not options.helm:
        found.append("the chart is not packaged: no helm")
    sys.stderr.writelines(f"not ready: {problem}\n" for problem in found)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
