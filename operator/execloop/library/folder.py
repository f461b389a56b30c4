"""Texts of the files of a folder that the administrator mounted: all of one moment, within bounds, links resolved."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from execloop._engine.errors import FatalError
from execloop._engine.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from execloop._plans.limits import Limits

__all__ = ["Folder", "FolderError"]

_CURRENT: Final = "..data"
"""The link that a volume of a ConfigMap or a Secret puts in place of the last one, for all of its files at once."""
_ATTEMPTS: Final = 3
_MOST_ENTRIES: Final = 20_000
_SOON: Final = 1.0


class FolderError(OSError):
    """A file cannot be read, or is not what it should be. The message names it; another content cures it."""


class _File(NamedTuple):
    path: Path
    """Where its links lead."""
    identity: tuple[int, int, int, int]
    """Of its content, as far as the file system says it."""
    size: int


class Folder(NamedTuple):
    """Where to read, and how much at most.

    Names that begin with a dot are left out. A link may lead to what is below the folders of `--plan-folder` only.
    """

    path: str
    suffixes: tuple[str, ...]
    deep: bool
    """Whether folders within it are read too."""
    most_files: int
    most_bytes: int
    """Of one file."""
    most_bytes_together: int

    def texts(self, limits: Limits) -> dict[str, str]:
        """Return the text of each file by its path in the folder, sorted. It blocks.

        Raises:
            FatalError: The folder is outside those of `--plan-folder`, or has too much.
            FolderError: A file cannot be read.
            Wait: The folder does not exist yet, or was changed while it was read.

        """
        gone = ""
        for _ in range(_ATTEMPTS):
            root = self._root(limits)
            try:
                before = self._files(root, limits)
                texts = {name: _text(name, file, self.most_bytes) for name, file in before.items()}
                if self._root(limits) == root and self._files(root, limits) == before:
                    return texts
            except FileNotFoundError as error:  # a volume has put other files in their place, or a link leads nowhere
                gone = f"; {error.filename} does not exist"
            except FolderError:
                raise
            except OSError as error:
                raise FolderError(f"the folder {self.path} cannot be read: {os.strerror(error.errno or 0)}") from None
        raise Wait(f"the folder {self.path} to stay as it is while it is read{gone}", again_in=_SOON)

    def _root(self, limits: Limits) -> Path:
        """Return the folder with the files of one moment."""
        try:
            root = limits.folder(self.path)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                raise Wait(f"the folder {self.path}, which does not exist where plans run") from None
            raise FolderError(f"the folder {self.path} cannot be read: {os.strerror(error.errno or 0)}") from None
        if not root.is_dir():
            raise FolderError(f"{self.path} is not a folder")
        try:
            return limits.folder(str(root / _CURRENT))
        except OSError:
            return root

    def _files(self, root: Path, limits: Limits) -> dict[str, _File]:
        found = dict(sorted(self._walk(root, limits)))
        if len(found) > self.most_files:
            raise FatalError(f"the folder {self.path} has {len(found)} files, at most {self.most_files} are read")
        for name, file in found.items():
            if file.size > self.most_bytes:
                raise FolderError(f"{name} has over {self.most_bytes // 1024} KiB: split it")
        if (size := sum(file.size for file in found.values())) > self.most_bytes_together:
            most = f"at most {self.most_bytes_together // 1024} KiB are read"
            raise FatalError(f"the files of the folder {self.path} have {size // 1024} KiB, {most}")
        return found

    def _walk(self, root: Path, limits: Limits) -> Iterator[tuple[str, _File]]:
        pending, known, entries = [("", root)], {root}, 0
        while pending:
            prefix, folder = pending.pop()
            for given in folder.iterdir():
                entries += 1
                if entries > _MOST_ENTRIES:
                    raise FatalError(f"the folder {self.path} has over {_MOST_ENTRIES} entries")
                if given.name.startswith("."):
                    continue
                wanted = given.name.endswith(self.suffixes)
                if not wanted and not (self.deep and given.is_dir()):
                    continue
                path, name = limits.folder(str(given)), f"{prefix}{given.name}"
                if self.deep and path.is_dir():
                    if path in known:
                        raise FolderError(f"{name} leads to a folder that is read already")
                    known.add(path)
                    pending.append((f"{name}/", path))
                elif wanted:
                    yield name, _file(name, path)


def _file(name: str, path: Path) -> _File:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise FolderError(f"{name} is not a file")
    return _File(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns), found.st_size)


def _text(name: str, file: _File, most: int) -> str:
    with os.fdopen(os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        data = opened.read(most + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FolderError(f"{name} is not UTF-8 at byte {error.start}") from None
