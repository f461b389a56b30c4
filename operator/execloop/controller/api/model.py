"""What every part of the Plan resource is: a frozen model, camelCase in JSON, with rules between its fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["BROKEN_RULE", "MOST_LEVELS", "Model", "Rule", "shallow"]

BROKEN_RULE: Final = "broken_rule"
"""Type of the error that a broken `Rule` is, for pydantic."""
MOST_LEVELS: Final = 100
"""Lists and mappings within one another, in what a schema leaves open."""


@dataclass(frozen=True)
class Rule:
    """A rule between fields: in CEL for the API server, in Python for what the server let in before the rule was."""

    cel: str
    holds: Callable[[Any], bool]
    message: str


class Model(BaseModel):
    """Unknown fields are ignored: the API server prunes them, and a newer one's must not stop an older operator."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", use_attribute_docstrings=True
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with these fields. Faster than Pydantic's own: there is nothing to copy but fields."""
        if deep:
            return super().model_copy(update=update, deep=deep)
        copied = type(self).__new__(type(self))
        changed = {} if update is None else update
        object.__setattr__(copied, "__dict__", {**self.__dict__, **changed})
        object.__setattr__(copied, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changed.keys())
        object.__setattr__(copied, "__pydantic_extra__", None)
        object.__setattr__(copied, "__pydantic_private__", None)
        return copied

    def _obey(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise PydanticCustomError(BROKEN_RULE, "{message}", {"message": rule.message})
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the rules after the fields; a model without rules takes no call into Python."""
        schema = handler(source)
        return core_schema.no_info_after_validator_function(cls._obey, schema) if cls.rules else schema

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        if cls.rules:
            schema["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in cls.rules]
        return schema

    def to_json(self) -> dict[str, Any]:
        """As it stands in the resource: camelCase names, RFC 3339 times, Go durations, nothing that is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def shallow(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is nested so deep that some part of Python gives up on it: no schema can say so."""
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = [part for whole in level for part in (whole.values() if isinstance(whole, dict) else whole)]
        level = [part for part in level if isinstance(part, dict | list)]
        if not level:
            return value
    raise PydanticCustomError(BROKEN_RULE, "{message}", {"message": f"should be at most {MOST_LEVELS} levels deep"})
