"""What the engine asks: any object with `create()`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from execloop._engine.tasks import Children

__all__ = ["Plan"]


@runtime_checkable
class Plan(Protocol):
    """Looks at the world and returns the tasks that are still needed; none when it has converged.

    Any object with `create()` is one; subclassing is not needed.

    >>> class Shelf:
    ...     def create(self):
    ...         return []
    >>> isinstance(Shelf(), Plan)
    True
    """

    @abstractmethod
    def create(self) -> Children | Awaitable[Children]:
        """Return the tasks that are still needed, and a `Wait` for what must happen first. May be `async`.

        What it raises ends `run`; the operator asks again. Raising `Wait` is not an error.
        """
        raise NotImplementedError
