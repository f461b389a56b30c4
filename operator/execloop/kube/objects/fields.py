"""The fields of an object as `kstatus` reads them, and the health that it computes from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Fields", "Health", "Malformed", "ObjectCondition", "State", "waits"]

State: TypeAlias = Literal["Current", "InProgress", "Failed", "Terminating", "NotFound", "Unknown"]


@dataclass(frozen=True, slots=True)
class Health:
    state: State
    message: str


@dataclass(frozen=True, slots=True)
class ObjectCondition:
    type: str
    status: str
    reason: str
    message: str

    @property
    def words(self) -> str:
        return self.message or self.reason or f"{self.type} is {self.status}"


class Malformed(Exception):
    """A field is not of the type that it has in every object."""


class Fields:
    """An object's fields by path, with a default for what is missing. Raises Malformed."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.conditions = tuple(self._conditions())

    def _field(self, path: str) -> Any:
        value: Any = self._content
        for name in path.split("."):
            if value is None:
                return None
            if not isinstance(value, dict):
                raise Malformed(f"{path} cannot be read: a part of the path is not a mapping")
            value = value.get(name)
        return value

    def number(self, path: str, default: int) -> int:
        value = self._field(path)
        return value if _is_number(value) else default

    def text(self, path: str, default: str = "") -> str:
        value = self._field(path)
        return value if isinstance(value, str) else default

    def parts(self, path: str) -> list[Fields]:
        """The mappings in a list."""
        value = self._field(path)
        return [Fields(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def instant(self, path: str) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.text(path))
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def is_true(self, path: str) -> bool:
        return self._field(path) is True

    def generation(self, path: str) -> int | None:
        value = self._field(path)
        if value is not None and not _is_number(value):
            raise Malformed(f"{path} is not an integer")
        return value

    def is_(self, condition: str, status: str) -> ObjectCondition | None:
        return next((it for it in self.conditions if it.type == condition and it.status == status), None)

    def _conditions(self) -> list[ObjectCondition]:
        found = self._field("status.conditions")
        if found is not None and not isinstance(found, list):
            raise Malformed("status.conditions is not a list")
        return [_condition(item) for item in found or ()]


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _condition(item: object) -> ObjectCondition:
    if not isinstance(item, dict):
        raise Malformed("an item of status.conditions is not a mapping")
    parts = [item.get(name) or "" for name in ("type", "status", "reason", "message")]
    if not all(isinstance(part, str) for part in parts):
        raise Malformed("a field of status.conditions is not text")
    return ObjectCondition(*parts)


def waits(condition: bool, message: str) -> Health | None:
    return Health("InProgress", message) if condition else None
