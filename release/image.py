"""`python -m release.image`: build the operator's image with docker, on a base of your choice."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

from release.wheels import collect

_ROOT = Path(__file__).parents[1]
_CONTEXT = _ROOT / "dist" / "image"
_ASK_BASE = "import sys, platform; print('%d.%d' % sys.version_info[:2], platform.machine())"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.image", description=__doc__)
    parser.add_argument("--base", help="an image with Python 3.11 or newer; default: the Dockerfile's")
    parser.add_argument("--tag", default=f"execloop:{version()}")
    parser.add_argument("--revision", default="unknown", help="the commit, for the image's labels")
    options = parser.parse_args()
    try:
        build(options.base or default_base(), options.tag, options.revision)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{' '.join(map(str, error.cmd[:2]))} failed\n")
        return 1
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename} is not on the PATH\n")
        return 1
    return 0


def build(base: str, tag: str, revision: str, *, cache: bool = True) -> None:
    asked = _docker("run", "--rm", "--entrypoint=python3", base, "-c", _ASK_BASE)
    python_version, machine = asked.split()
    collect(_CONTEXT / "wheels", python_version, machine)
    arguments = {"BASE": base, "VERSION": version(), "REVISION": revision}
    settings = [f"--build-arg={name}={value}" for name, value in arguments.items()] + ["--no-cache"] * (not cache)
    _docker("build", "--quiet", f"--tag={tag}", f"--file={_ROOT / 'Dockerfile'}", *settings, str(_CONTEXT))
    sys.stdout.write(f"{tag}\n")


def version() -> str:
    found: str = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def default_base() -> str:
    lines = (_ROOT / "Dockerfile").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("ARG BASE="))


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
