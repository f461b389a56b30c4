from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from execloop._engine.errors import ParameterProblem
from execloop.controller.api.violations import describe, describe_closed


class Dog(BaseModel):
    kind: Literal["dog"]


class Cat(BaseModel):
    kind: Literal["cat"]


class Parameters(BaseModel):
    count: Annotated[int, Field(gt=0)] = 1
    token: str = ""
    pets: list[Annotated[Dog | Cat, Field(discriminator="kind")]] = []

    @field_validator("token")
    @classmethod
    def _known(cls, token: str) -> str:
        if token.startswith("s3cret"):
            raise ValueError(f"there is no account for {token!r} ({token})")
        return token

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.count == 7:
            raise ValueError(f"{self.count} does not go with {self.token}")
        return self


def _described(**parameters: object) -> str:
    with pytest.raises(ValidationError) as refused:
        Parameters.model_validate(parameters)
    return describe(refused.value, "parameters")


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"count": 0}, "parameters.count: Input should be greater than 0"),
        ({"token": "s3cret-4711"}, "parameters.token: there is no account for '…' (…)"),
        ({"count": 7, "token": "hunter2"}, "parameters: … does not go with …"),
        ({"pets": [{"kind": "dog"}, {}]}, "parameters.pets[1]: Unable to extract tag using discriminator 'kind'"),
    ],
)
def test_a_failed_validation_is_told_by_field_and_rule_without_the_value(
    parameters: dict[str, Any], description: str
) -> None:
    assert _described(**parameters) == description


def test_the_tag_of_a_union_is_not_repeated() -> None:
    description = _described(pets=[{"kind": "s3cret"}])
    assert description.startswith("parameters.pets[0]: ")
    assert "'dog', 'cat'" in description
    assert "s3cret" not in description


def test_each_broken_rule_is_told_up_to_ten() -> None:
    assert _described(count=-1, token=5).count("; ") == 1
    description = _described(pets=[{}] * 12)
    assert description.count("parameters.pets[") == 10
    assert description.endswith("; and 2 more")


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (
            ParameterProblem(("count",), "Input should be greater than 0", "greater_than"),
            "Input should be greater than 0",
        ),
        (ParameterProblem(("count",), "invalid character 's' at 1", "uuid_parsing"), "does not fit"),
        (ParameterProblem(("count",), "List should have at most 2 items, not 7", "too_long"), "does not fit"),
        (ParameterProblem(("count",), "no account for 's3cret'", "value_error"), "does not fit"),
        (ParameterProblem(("count",), "did you mean pets?", "extra_forbidden"), "there is no such parameter"),
    ],
)
def test_of_what_is_secret_only_the_models_own_words_are_told(problem: ParameterProblem, told: str) -> None:
    assert describe_closed([problem], frozenset({"count"})) == f"parameters.count: {told}"


def test_of_what_is_secret_only_declared_names_are_told_each_once() -> None:
    problems = [
        ParameterProblem(("pets", 1, name), "Field required", "missing") for name in ("kind", "s3cret", "s4cret")
    ]
    told = "parameters.pets[1].kind: Field required; parameters.pets[1].…: Field required"
    assert describe_closed(problems, frozenset({"pets", "kind"})) == told
