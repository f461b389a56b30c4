"""`Duration`, the type of a parameter. How text is parsed is tested with the resource's own durations."""

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from execloop import Duration, Options


class Model(BaseModel):
    max_age: Duration = Duration("720h")


def test_it_is_a_timedelta() -> None:
    assert Duration("1h30m") == timedelta(hours=1, minutes=30)
    assert datetime(2026, 1, 2, tzinfo=UTC) - Duration("24h") == datetime(2026, 1, 1, tzinfo=UTC)
    assert Options(sleep_between_runs=Duration("90s")).sleep == 90.0


@pytest.mark.parametrize("text", ["0s", "1h30m", "720h", "1.5s", "500ms", "7us"])
def test_it_is_written_as_it_is_read(text: str) -> None:
    assert str(Duration(text)) == text
    assert repr(Duration(text)) == f"Duration('{text}')"


@pytest.mark.parametrize("made", [pickle.loads(pickle.dumps(Duration("7us"))), copy.deepcopy(Duration("7us"))])
def test_it_can_be_copied(made: object) -> None:
    assert (type(made), str(made)) == (Duration, "7us")


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("soon", ValueError, "should be a duration such as 90s, 10m or 1h30m"),
        ("30", ValueError, "numbers with a unit"),
        ("9999999h", ValueError, "should be a duration of at most 2562047h"),
        (30, TypeError, "should be a duration such as 90s, 10m or 1h30m, or a timedelta"),
        (timedelta(seconds=-1), ValueError, "should be a duration that is not negative"),
    ],
)
def test_anything_else_is_refused_with_the_accepted_form(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Duration(value)
    with pytest.raises(ValidationError, match=message):
        Model(max_age=value)


def test_a_model_reads_and_writes_it() -> None:
    model = Model.model_validate({"max_age": "90m"})
    assert model.max_age == timedelta(minutes=90)
    assert type(model.max_age) is Duration
    assert model.model_dump_json() == '{"max_age":"1h30m"}'
    assert Model(max_age=timedelta(hours=1)).max_age == Duration("1h")  # type: ignore[arg-type]


def test_its_json_schema_is_that_of_the_resource() -> None:
    schema = Model.model_json_schema()["properties"]["max_age"]
    assert (schema["type"], schema["default"]) == ("string", "720h")
    assert schema["pattern"].startswith("^((")
