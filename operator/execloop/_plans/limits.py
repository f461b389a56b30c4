"""What an administrator lets built-in plans reach besides the cluster. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from execloop._engine.errors import FatalError

__all__ = ["UNLIMITED", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where files may be read, and which addresses may be asked; None stands for all of them.

    >>> Limits().folder("/etc")
    Traceback (most recent call last):
    execloop._engine.errors.FatalError: /etc is outside the folders of --plan-folder, which are: none
    """

    folders: tuple[Path, ...] | None = ()
    addresses: tuple[str, ...] | None = ()
    """Networks (`10.0.0.0/8`) and hosts (`*.example.com`) that are allowed though they are internal."""

    def folder(self, path: str) -> Path:
        """Return where a path leads, links resolved. Raises FatalError outside the folders, OSError when missing."""
        if self.folders is None:
            return Path(path).resolve(strict=True)
        given = Path(path)
        roots = [root.resolve() for root in self.folders]
        found = given.resolve()
        if not given.is_absolute() or not any(found.is_relative_to(root) for root in roots):
            allowed = ", ".join(map(str, self.folders)) or "none"
            raise FatalError(f"{path} is outside the folders of --plan-folder, which are: {allowed}")
        return found.resolve(strict=True)


UNLIMITED = Limits(None, None)
"""Of the library and the command: they act for the person who runs them."""
