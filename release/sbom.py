"""`python -m release.sbom FILE`: a CycloneDX bill of what the image installs, from requirements.lock."""

from __future__ import annotations

import argparse
import json
import uuid
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.markers import default_environment
from packaging.utils import canonicalize_name

from release.image import version
from release.locked import closure, needed, requires
from release.wheels import EXTRAS

if TYPE_CHECKING:
    from release.locked import Locked

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562, appendix A: names that are URLs


def bill(extras: tuple[str, ...] = EXTRAS) -> dict[str, Any]:
    """Equal inputs make an equal bill: its serial number is a hash of what is in it, and it has no time."""
    locked = needed(extras)
    own = {"type": "application", "name": "execloop", "version": version(), "licenses": [_spdx("Apache-2.0")]}
    own["bom-ref"] = own["purl"] = _purl("execloop", version())
    components = [_component(entry) for entry in locked]
    serial = uuid.uuid5(_NAMESPACE, json.dumps([own, components], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": _dependencies(locked, extras),
    }


def _component(entry: Locked) -> dict[str, Any]:
    purl = _purl(entry.name, entry.version)
    component = {"type": "library", "bom-ref": purl, "name": entry.name, "version": entry.version, "purl": purl}
    return component | ({"licenses": [licence]} if (licence := _licence(entry.name)) else {})


def _licence(name: str) -> dict[str, Any] | None:
    """As the distribution's metadata says it: an SPDX expression, or else free text of one line."""
    found = metadata(name)
    if "License-Expression" in found:
        expression = found["License-Expression"]
        return {"expression": expression} if " " in expression else _spdx(expression)
    classifiers = [line for line in found.get_all("Classifier") or () if line.startswith("License ::")]
    text = found["License"].strip() if "License" in found else ""
    if text and "\n" not in text:
        return {"license": {"name": text}}
    return {"license": {"name": classifiers[0].rpartition(" :: ")[2]}} if classifiers else None


def _spdx(identifier: str) -> dict[str, Any]:
    return {"license": {"id": identifier}}


def _dependencies(locked: list[Locked], extras: tuple[str, ...]) -> list[dict[str, Any]]:
    environment = {key: str(value) for key, value in default_environment().items()}
    purls = {entry.name: _purl(entry.name, entry.version) for entry in locked}
    asked = closure("execloop", extras, environment)

    def edges(name: str) -> list[str]:
        wanted = sorted(asked[name])
        names = {canonicalize_name(requirement.name) for requirement in requires(name, wanted, environment)}
        return [purls[name] for name in sorted(names & purls.keys())]

    own = {"ref": _purl("execloop", version()), "dependsOn": edges("execloop")}
    return [own, *({"ref": purls[entry.name], "dependsOn": edges(entry.name)} for entry in locked)]


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m release.sbom", description=__doc__)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(json.dumps(bill(), indent=2) + "\n")


if __name__ == "__main__":
    main()
