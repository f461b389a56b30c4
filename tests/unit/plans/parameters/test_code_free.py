"""Which models validate without code of their author: what is not known to be so counts as code."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator

from execloop import Duration
from execloop._plans.parameters.code_free import is_code_free


class Plain(BaseModel):
    count: int = Field(default=3, ge=0)
    name: str = Field(default="x", pattern="^a+$", max_length=9)
    kind: Literal["a", "b"] = "a"
    type: str = ""
    many: list[float] = []
    by_name: dict[str, str | None] | None = None
    wait: timedelta | None = None


class Nested(BaseModel):
    one: Plain
    more: "list[Nested]" = []


@pytest.mark.parametrize("model", [None, Plain, Nested])
def test_a_model_of_plain_fields_runs_no_code(model: Any) -> None:
    assert is_code_free(model)


class Checked(BaseModel):
    count: int

    @field_validator("count")
    @classmethod
    def check(cls, value: int) -> int:
        return value


class Whole(BaseModel):
    count: int

    @model_validator(mode="after")
    def check(self) -> Self:
        return self


class Within(BaseModel):
    parts: list[Checked]


class Annotation(BaseModel):
    count: Annotated[int, AfterValidator(int)]


class Factory(BaseModel):
    names: list[str] = Field(default_factory=list)


class Afterwards(BaseModel):
    count: int

    def model_post_init(self, _context: Any, /) -> None:
        pass


class Made(BaseModel):
    count: int

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)


class New(BaseModel):
    count: int

    def __new__(cls, *_args: Any, **_fields: Any) -> Self:
        return super().__new__(cls)


class SlowPattern(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    name: str = Field(pattern="(a+)+$")


class Compiled(BaseModel):
    name: str = Field(pattern=re.compile("(a+)+$"))


class Colour(StrEnum):
    RED = "red"


class Enumerated(BaseModel):
    colour: Colour


class Default(BaseModel):
    anything: Any = object()


class OwnWay(BaseModel):
    @classmethod
    def model_validate(cls, obj: Any, **_options: Any) -> Self:
        return super().model_validate(obj)


class Duck:
    @staticmethod
    def model_validate(raw: Any) -> Any:
        return raw


class Time(BaseModel):
    every: Duration


CODE = [Checked, Whole, Within, Annotation, Factory, Afterwards, Made, New, SlowPattern, Compiled, Enumerated, Default]


@pytest.mark.parametrize("model", [*CODE, OwnWay, Duck, Time, RootModel[Checked]], ids=lambda model: model.__name__)
def test_what_runs_code_of_its_author_counts_as_code(model: Any) -> None:
    assert not is_code_free(model)
