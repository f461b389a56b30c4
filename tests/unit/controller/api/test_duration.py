import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from execloop.controller.api.duration import Duration, format_duration, parse_duration

_UNITS = ("ns", "us", "µs", "\u03bcs", "ms", "s", "m", "h")
_LONGEST = (2**63 - 1) / 10**9
_terms = st.tuples(st.decimals(0, 10_000, places=4), st.sampled_from(_UNITS)).map(lambda term: f"{term[0]}{term[1]}")
_durations = st.lists(_terms, min_size=1, max_size=2).map("".join)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("1s", 1.0),
        ("90s", 90.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5h", 1800.0),
        ("1.s", 1.0),
        ("500ms", 0.5),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("5\u03bcs", 5e-6),
        ("7ns", 7e-9),
        ("1s1h1s", 3602.0),
        ("2562047h47m16.854775807s", _LONGEST),
    ],
)
def test_a_go_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "10", "s", "10 m", "-1s", "+1s", "1d", "soon", "1,5h", ".s", "1e3s", "1s\n", "\u0661s"]
)
def test_anything_else_is_refused_with_the_accepted_form_and_without_the_text(text: str) -> None:
    with pytest.raises(ValueError, match="should be a duration such as 90s, 10m or 1h30m") as refused:
        parse_duration(text)
    assert not text or f"'{text}'" not in str(refused.value)


@pytest.mark.parametrize("text", ["2562047h47m16.854775808s", "2562048h", "9999999999999999999999999s"])
def test_what_go_could_not_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 2562047h"):
        parse_duration(text)


def test_a_text_of_any_length_is_answered_at_once() -> None:
    with pytest.raises(ValueError, match="should be a duration"):
        parse_duration("1" * 1_000_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (59.5, "59.5s"),
        (60, "1m"),
        (600, "10m"),
        (3600, "1h"),
        (5400, "1h30m"),
        (3601, "1h1s"),
        (90061.25, "25h1m1.25s"),
        (0.5, "500ms"),
        (0.0015, "1.5ms"),
        (5e-6, "5us"),
        (7e-9, "7ns"),
        (1e-12, "0s"),
    ],
)
def test_seconds_are_written_in_the_shortest_usual_form(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(_durations)
def test_what_was_read_reads_the_same_after_it_was_written(text: str) -> None:
    seconds = parse_duration(text)
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(0, _LONGEST, allow_nan=False))
def test_writing_is_precise_to_the_nanosecond(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-15, abs=1e-9)


@pytest.mark.parametrize("value", [True, None, [], -1, -0.5, float("nan"), float("inf"), 2**63, b"1s"])
def test_a_field_takes_text_or_seconds_and_nothing_else(value: object) -> None:
    with pytest.raises(ValidationError, match="should be a duration"):
        TypeAdapter(Duration).validate_python(value)


def test_a_field_is_seconds_in_python_and_text_in_json() -> None:
    field = TypeAdapter(Duration)
    assert field.validate_python("1h30m") == field.validate_python(5400) == 5400.0
    assert field.dump_python(5400.0) == 5400.0
    assert field.dump_python(5400.0, mode="json") == "1h30m"
