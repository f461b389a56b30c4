"""Where the migrations are: in the parameters, in a ConfigMap, in a folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from execloop._engine.errors import FatalError
from execloop._engine.waits import Wait
from execloop.library.folder import Folder
from execloop.library.sql.migration import LONGEST, Migration, natural_order
from execloop.library.sql.statements import transaction_control

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from execloop._plans.context import Context
    from execloop.library.sql.parameters import Parameters

__all__ = ["read"]

_SUFFIX: Final = ".sql"
_MOST_FILES: Final = 2000
_MOST_BYTES: Final = 64 * 1024 * 1024


async def read(parameters: Parameters, context: Context) -> tuple[Migration, ...]:
    """Return the migrations in their order.

    Raises:
        FatalError: One of them cannot be a migration, which only an edit changes.
        FolderError: A file cannot be read.
        Wait: The ConfigMap or the folder does not exist yet, or the folder was being changed.

    """
    if parameters.config_map is not None:
        return _parsed(await _of_config_map(parameters.config_map, context))
    if parameters.folder is not None:
        return _parsed(await asyncio.to_thread(_of_folder, parameters.folder, context))
    return tuple(Migration(each.name, each.sql, each.transaction, each.repeatable) for each in parameters.migrations)


async def _of_config_map(name: str, context: Context) -> Mapping[str, str]:
    found = await context.kube.get("v1", "ConfigMap", name)
    if found is None:
        raise Wait(f"the ConfigMap {name} with the migrations")
    return {key: text for key, text in (found.get("data") or {}).items() if key.endswith(_SUFFIX)}


def _of_folder(name: str, context: Context) -> Mapping[str, str]:
    folder = Folder(name, (_SUFFIX,), False, _MOST_FILES, LONGEST, _MOST_BYTES)
    return folder.texts(context.limits)


def _parsed(texts: Mapping[str, str]) -> tuple[Migration, ...]:
    if not texts:
        raise FatalError(f"no migration found: their names must end in {_SUFFIX}")
    try:
        return tuple(_checked(name, texts[name]) for name in _sorted(texts))
    except ValueError as error:
        raise FatalError(str(error)) from None


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_order)


def _checked(name: str, text: str) -> Migration:
    if len(text) > LONGEST:
        raise ValueError(f"{name} has over {LONGEST} characters: split it")
    migration = Migration.from_file(name, text)
    if migration.transaction and (word := transaction_control(text)):
        raise ValueError(
            f"{name}: the statement {word} ends the migration's own transaction: remove it, or begin the file with"
            " `-- execloop: no-transaction`"
        )
    return migration
