"""The judges that others use, as they publish them: kstatus, Flux's copy of it, and Flux's CEL; compiled from go/."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import cache as cache_folder
from tests.cluster.build import find_go, run_go
from tests.cluster.locks import locked
from tests.gitops.states import DOCS

_MODULE = Path(__file__).parent / "go"


@dataclass(frozen=True)
class Verdict:
    """A state each, or `error: …` where the library gave none."""

    kstatus: str
    flux: str
    cel: str


def judged(objects: Iterable[dict[str, Any]]) -> list[Verdict]:
    """Raises Unavailable where there is no Go, or a module cannot be had."""
    question = {"expressions": _expressions(), "objects": list(objects)}
    done = subprocess.run([_program()], input=json.dumps(question), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Verdict(**verdict) for verdict in json.loads(done.stdout)]


def _expressions() -> dict[str, str]:
    """Those for Plans in the Kustomization of the docs."""
    kustomization, *_ = yaml.safe_load_all((DOCS / "flux-kustomization.yaml").read_text("utf-8"))
    (check,) = kustomization["spec"]["healthCheckExprs"]
    assert (check.pop("apiVersion"), check.pop("kind")) == ("execloop.dev/v1alpha1", "Plan")
    expressions: dict[str, str] = check
    return expressions


@cache
def _program() -> Path:
    """Built once for each state of its source."""
    sources = b"".join((_MODULE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    folder = cache_folder() / "gitops"
    program = folder / f"judge-{hashlib.sha256(sources).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "building"):
        if not program.exists():
            unfinished = folder / f"unfinished-{os.getpid()}"
            command = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", f"-o={unfinished}", "."]
            run_go(find_go(), command, _MODULE, "the judges of other projects cannot be built")
            unfinished.rename(program)
    return program
