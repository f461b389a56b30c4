"""What stands for the version of a module that has none: a digest of its code, and of what it imports beside it."""

from __future__ import annotations

import ast
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["code_version"]


def code_version(module: Path) -> str:
    """Of a file or a package. Modules of the same folder count when it imports them, however far down.

    Read from the code, without importing it: a name that is put together at run time is not seen.
    """
    files: set[Path] = set()
    pending = [module]
    while pending:
        for file in _files(pending.pop()):
            if file not in files:
                files.add(file)
                pending += _imported(file, module.parent)
    digest = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(module.parent)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def _files(module: Path) -> Iterator[Path]:
    if module.is_file():
        yield module
    for folder, inner, names in os.walk(module):
        inner[:] = [name for name in inner if name != "__pycache__"]
        yield from (Path(folder, name) for name in names if not name.endswith(".pyc"))


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    for name in _names_imported(file):
        yield from (path for path in (folder / f"{name}.py", folder / name) if path.exists())


def _names_imported(file: Path) -> Iterator[str]:
    """Top-level names; what a package imports of its own relatively is within it."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # its import says so, better
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
