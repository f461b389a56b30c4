"""Files that are made from others: written, or checked."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["parser", "settle"]


def parser(program: str, description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    made.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    return made


def settle(files: Mapping[Path, str], *, check: bool, target: str) -> int:
    """The exit code. `target` is what `make` calls the way to write them."""
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if check:
            sys.stderr.write(f"{path} is stale: run make {target}\n")
        else:
            path.write_text(files[path])
    return int(check and bool(stale))
