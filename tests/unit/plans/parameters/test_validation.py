"""Parameters against a plan's model: nothing that is not declared passes in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from execloop import plan
from execloop._engine.errors import InvalidParameters
from execloop._plans.definition import Definition, definition_of


class Port(BaseModel):
    number: int
    name: str = ""


class Loose(BaseModel, extra="allow"):
    size: int = 0


class Lax(BaseModel, extra="ignore"):
    size: int = 0


@dataclass
class Volume:
    path: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: int = 0


class Model(BaseModel):
    replicas: int = 1
    image_tag: str = Field(default="", alias="imageTag")
    ports: list[Port] = []
    by_name: dict[str, Port] = {}
    either: Port | Lax | None = None
    loose: Loose | None = None
    volume: Volume | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    anything: dict[str, Any] = {}
    nested: Model | None = None


def define(model: Any) -> Definition:
    def some(parameters: Any) -> None: ...

    found = definition_of(plan("some", parameters=model)(some))
    assert found is not None
    return found


def refusal(raw: dict[str, Any], model: Any = Model) -> str:
    with pytest.raises(InvalidParameters) as caught:
        define(model).parse(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"replcas": 3}, "parameters.replcas: there is no such parameter; did you mean replicas?"),
        ({"imageTg": "x"}, "parameters.imageTg: there is no such parameter; did you mean imageTag?"),
        (
            {"ports": [{"number": 1}, {"number": 2, "nam": "x"}]},
            "parameters.ports.1.nam: there is no such parameter",
        ),
        (
            {"by_name": {"a": {"number": 1, "nme": "x"}}},
            "parameters.by_name.a.nme: there is no such parameter",
        ),
        ({"volume": {"path": "/", "pth": "/"}}, "parameters.volume.pth: "),
        (
            {"pet": {"kind": "cat", "live": 1}},
            "parameters.pet.cat.live: there is no such parameter; did you mean lives?",
        ),
        (
            {"nested": {"nested": {"replica": 1}}},
            "parameters.nested.nested.replica: there is no such parameter",
        ),
    ],
)
def test_a_name_that_is_not_declared_is_an_error_at_any_depth(raw: dict[str, Any], message: str) -> None:
    assert refusal(raw).startswith(message)


def test_all_problems_are_told_with_field_and_rule_and_without_values() -> None:
    message = refusal({"replicas": "s3cret", "colour": "s3cret"})
    assert "parameters.replicas: Input should be a valid integer" in message
    assert "parameters.colour: there is no such parameter here; there is anything, by_name, either" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"replicas": 2, "imageTag": "v1", "anything": {"whatever": {"deep": 1}}},
        {"loose": {"size": 1, "more": 2}},
        {"either": {"size": 1, "more": 2}},
        {"either": {"number": 1}},
        {"pet": {"kind": "dog", "tricks": 2}},
        {"nested": {"replicas": 3}},
    ],
)
def test_what_is_declared_passes_and_so_does_what_a_models_own_extra_lets_pass(raw: dict[str, Any]) -> None:
    parsed = define(Model).parse(raw)
    assert type(parsed) is Model
    assert parsed == Model.model_validate(raw)


@pytest.mark.parametrize(("model", "kept"), [(Loose, {"size": 1, "more": 2}), (Lax, {"size": 1})])
def test_the_models_own_extra_wins(model: type[BaseModel], kept: dict[str, int]) -> None:
    assert define(model).parse({"size": 1, "more": 2}).model_dump() == kept


def test_an_inherited_extra_is_a_models_own() -> None:
    class Child(Lax):
        colour: str = ""

    assert define(Child).parse({"more": 1}).colour == ""


def test_validators_of_the_model_see_what_they_always_see() -> None:
    class Renamed(BaseModel):
        size: int

        @model_validator(mode="before")
        @classmethod
        def rename(cls, raw: Any) -> Any:
            return {"size" if key == "length" else key: value for key, value in raw.items()}

        @field_validator("size")
        @classmethod
        def double(cls, size: int) -> int:
            return 2 * size

    assert define(Renamed).parse({"length": 2}).size == 4
    assert "there is no such parameter" in refusal({"length": 2, "width": 3}, Renamed)


def test_a_model_with_its_own_way_to_validate_goes_that_way() -> None:
    class Own(BaseModel):
        size: int = 0

        @classmethod
        def model_validate(cls, obj: Any, **_: Any) -> Own:
            return cls(size=int(obj.get("size", 7)))

    assert define(Own).parse({}).size == 7
    assert refusal({"siz": 1}, Own) == "parameters.siz: there is no such parameter; did you mean size?"


def test_any_class_with_model_validate_is_a_model() -> None:
    class Duck:
        @classmethod
        def model_validate(cls, raw: dict[str, Any]) -> str:
            if "bad" in raw:
                raise ValueError("s3cret")
            return "parsed"

    assert define(Duck).parse({"x": 1}) == "parsed"
    assert refusal({"bad": 1}, Duck) == "parameters: ValueError"
    assert define(Duck).declared is None


def test_other_errors_of_a_model_are_the_callers_to_judge() -> None:
    class Broken(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def fail(cls, raw: Any) -> Any:
            raise KeyError("x")

    with pytest.raises(KeyError):
        define(Broken).parse({})


# -- leniently


class Forbidding(BaseModel, extra="forbid"):
    replicas: int = 1
    ports: list[Port] = []
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None


@pytest.mark.parametrize("model", [Model, Forbidding])
def test_a_teardown_is_not_blocked_by_what_is_not_declared(model: type[BaseModel]) -> None:
    raw = {"replicas": 2, "gone": 1, "ports": [{"number": 1, "old": 2}], "pet": {"kind": "cat", "age": 3}}
    parsed: Any = define(model).parse(raw, lenient=True)
    assert (parsed.replicas, parsed.ports[0].number, parsed.pet.lives) == (2, 1, 9)
    assert raw["gone"] == 1, "what was given stays as it is"


def test_a_teardown_is_blocked_by_what_is_wrong() -> None:
    with pytest.raises(InvalidParameters, match=r"parameters\.replicas: Input should be a valid integer"):
        define(Forbidding).parse({"replicas": "many", "gone": 1}, lenient=True)


# -- which names there are


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    tag: str = Field(default="", alias="imageTag")
    size: int = Field(default=0, validation_alias=AliasChoices("width", "length"))


def test_the_names_that_a_model_declares_are_known() -> None:
    definition = define(Aliased)
    assert set(definition.declared or ()) == {"tag", "imageTag", "size", "width", "length"}
    assert definition.declares("tag")
    assert not definition.declares("colour")


# -- without a model


def unmodelled(target: Any) -> Definition:
    found = definition_of(plan("some")(target))
    assert found is not None
    return found


def none() -> None: ...
def context_alone(context: object) -> None: ...
def ignoring(_parameters: object, context: object) -> None: ...
def taking(parameters: object) -> None: ...
def whatever(*_: object) -> None: ...


@pytest.mark.parametrize("target", [none, context_alone, ignoring])
def test_a_plan_without_a_model_refuses_all(target: Any) -> None:
    definition = unmodelled(target)
    with pytest.raises(InvalidParameters, match=r"parameters\.x: the plan 'some' takes no parameters"):
        definition.parse({"x": 1})
    assert definition.parse({}) == definition.parse({"x": 1}, lenient=True) == {}
    assert (definition.declared, definition.unchecked) == (frozenset(), False)


@pytest.mark.parametrize("target", [taking, whatever])
def test_a_plan_that_takes_a_raw_mapping_keeps_it_unchecked(target: Any) -> None:
    definition = unmodelled(target)
    assert definition.parse({"x": 1}) == {"x": 1}
    assert (definition.declared, definition.unchecked, definition.declares("x")) == (None, True, True)
