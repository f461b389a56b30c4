"""A field of a model that holds an expression."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from execloop.library.cel.field import compiles


class Parameters(BaseModel):
    ready_when: Annotated[str, compiles("object", result=bool)]


def test_the_field_keeps_its_text() -> None:
    assert Parameters(ready_when="object.ready == true").ready_when == "object.ready == true"


def test_an_error_has_the_field_and_the_place_in_the_expression() -> None:
    with pytest.raises(ValidationError) as raised:
        Parameters(ready_when="object.ready == thing")
    (error,) = raised.value.errors()
    assert error["loc"] == ("ready_when",)
    assert "at line 1, column 17: undeclared reference to 'thing'" in error["msg"]
