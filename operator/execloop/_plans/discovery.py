"""Find plans: in the entry points of installed distributions, and in folders of modules.

`registry` calls it. An error while a module is imported costs the plans of that module only.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import sys
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from execloop._engine.errors import PlanError
from execloop._plans.code_version import code_version
from execloop._plans.definition import Definition, definition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["GROUP", "PlanSource", "from_entry_points", "from_folder"]

GROUP = "execloop.plans"
"""The entry-point group. An entry is a plan, or a module that holds some."""

logger = logging.getLogger("execloop")

LONGEST_FAILURE = 400

_MACHINERY = {Path(file).parent for file in (__file__, importlib.__file__, importlib.metadata.__file__)}


@dataclass(frozen=True, slots=True)
class PlanSource:
    """An entry point or a module: the plans it gave, or why it gave none."""

    origin: str
    version: str = ""
    definitions: tuple[Definition, ...] = ()
    failure: str | None = None


def from_entry_points() -> Iterator[PlanSource]:
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        place = entry.value.partition("[")[0].strip()  # without its extras
        yield _source(f"{entry.dist.name if entry.dist else '?'} ({place})", partial(_load_entry, entry))


def from_folder(folder: Path) -> Iterator[PlanSource]:
    """Import each module of a folder by its own name, so that they can import one another; of a file that module only.

    The folder goes to the end of `sys.path` and stays there, for what is imported later.
    """
    only, folder = (folder.absolute(), folder.absolute().parent) if folder.is_file() else (None, folder.absolute())
    try:
        paths = [only] if only else sorted(path for path in folder.iterdir() if _is_module(path))
    except OSError as error:
        yield PlanSource(str(folder), failure=f"not a readable folder: {error.strerror}")
        return
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()
    for path in paths:
        yield _source(str(path), partial(_load_module, path))


def _source(origin: str, load: Callable[[], tuple[str, object]]) -> PlanSource:
    try:
        version, loaded = load()
        return PlanSource(origin, version, tuple(_definitions(loaded)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a module must not end the process
        logger.debug("%s could not be imported", origin, exc_info=True)
        return PlanSource(origin, failure=_explain(error))


def _explain(error: BaseException) -> str:
    """The traceback's last line, and the last place in it that is neither the engine's nor the import system's."""
    if isinstance(error, PlanError):
        return str(error)
    text = traceback.format_exception_only(error)[-1].strip()
    if len(text) > LONGEST_FAILURE:
        text = text[: LONGEST_FAILURE - 1] + "…"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{text} ({error.filename}:{error.lineno})"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_machinery(f.filename)]
    return f"{text} ({frames[-1].filename}:{frames[-1].lineno})" if frames else text


def _is_machinery(file: str) -> bool:
    return file.startswith("<frozen importlib") or Path(file).parent in _MACHINERY


def _is_module(path: Path) -> bool:
    if path.name.startswith(("_", ".")):
        return False
    return path.suffix == ".py" if path.is_file() else (path / "__init__.py").is_file()


def _load_entry(entry: importlib.metadata.EntryPoint) -> tuple[str, object]:
    try:
        loaded = entry.load()
    except ModuleNotFoundError as error:
        if not entry.extras or entry.dist is None:
            raise
        wanted = f"{entry.dist.name}[{','.join(entry.extras)}]"
        raise PlanError(f"{error.name} is not installed, and comes with {wanted}: pip install '{wanted}'") from error
    return entry.dist.version if entry.dist else "", loaded


def _load_module(path: Path) -> tuple[str, object]:
    name = path.stem
    if not name.isidentifier():
        raise PlanError(f"a module cannot be named {name!r}: rename it, with letters, digits and '_' alone")
    file = path / "__init__.py" if path.is_dir() else path
    found = _place_of(name)
    if not Path(found).exists() or not file.samefile(found):
        raise PlanError(f"`import {name}` finds another module, {found}: rename this one")
    return code_version(path), importlib.import_module(name)


def _place_of(name: str) -> str:
    """The file that a top-level module comes from, or would come from; nothing is imported."""
    loaded = sys.modules.get(name)
    spec = importlib.util.find_spec(name) if loaded is None else None
    return getattr(loaded, "__file__", None) or (spec and spec.origin) or "built-in"


def _definitions(loaded: object) -> Iterator[Definition]:
    if not isinstance(loaded, ModuleType):
        if (definition := definition_of(loaded)) is None:
            raise PlanError(f"{loaded!r} is neither a plan made by @plan nor a module")
        yield definition
        return
    for value in tuple(vars(loaded).values()):
        definition = definition_of(value)
        # What a module imports from elsewhere is not its own; what a package shows of its inside is.
        if definition is not None and f"{definition.module}.".startswith(f"{loaded.__name__}."):
            yield definition
