from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.library.http.compare import at, differences, merged
from execloop.library.http.pace import Pace, seconds_to_wait
from execloop.library.http.placeholders import filled, filled_url

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("expected", "actual", "paths"),
    [
        ({}, {"a": 1}, []),
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 1}, {}, ["a"]),
        ({"a": None}, {}, []),
        ({"a": None}, {"a": 1}, ["a"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2, "c": 3}}, ["a.b", "a.c"]),
        ({"a": {"b": 1}}, {"a": 1}, ["a"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, []),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["a[0].b"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a[0]", "a[1]"]),
        ({"a": 1}, None, ["the answer"]),
    ],
)
def test_what_a_server_adds_is_no_difference(expected: Any, actual: Any, paths: list[str]) -> None:
    assert list(differences(expected, actual)) == paths


@given(JSON)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert list(differences(value, value)) == []


@given(st.dictionaries(st.text("abc", max_size=2), JSON, max_size=3), JSON)
def test_what_is_merged_is_as_expected(expected: dict[str, Any], actual: Any) -> None:
    assert list(differences(expected, merged(actual, expected))) == []


@pytest.mark.parametrize(
    ("path", "found"), [("", {"a": [{"b": 1}]}), ("a.0.b", 1), ("a.1.b", None), ("a.b", None), ("x.y", None)]
)
def test_a_path_leads_to_a_value_or_to_none(path: str, found: Any) -> None:
    assert at({"a": [{"b": 1}]}, path) == found


def test_a_placeholder_is_filled_once_and_stays_one_part_of_a_url() -> None:
    values = {"a": "x/../y?z=${b}", "b": "secret"}
    assert filled({"k": ["${a}", "${c}"]}, values) == {"k": ["x/../y?z=${b}", "${c}"]}
    assert filled_url("https://h/${a}", values) == "https://h/x%2F..%2Fy%3Fz%3D%24%7Bb%7D"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0),
        (429, {}, 30),
        (429, {"Retry-After": "7"}, 7),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:16:45 GMT"}, 5),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        (503, {"Retry-After": "soon"}, 30),
        (429, {"Retry-After": "9" * 12}, 3600),
        (429, {"Retry-After": "9" * 400}, 30),
        (500, {"Retry-After": "7"}, 0),
        (200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "9"}, 9),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 1),
        (200, {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "9"}, 0),
    ],
)
def test_a_server_says_how_long_to_wait(status: int, headers: dict[str, str], seconds: float) -> None:
    assert seconds_to_wait(status, headers, now=1000) == seconds


def test_a_wait_is_for_one_server_and_credential_and_what_is_kept_is_bounded() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.keep("a", 10)
    assert (pace.left("a"), pace.left("b")) == (10, 0)
    now[0] = 11
    assert pace.left("a") == 0
    for number in range(2000):
        pace.keep(str(number), 10)
    assert len(pace._until) == 1024
