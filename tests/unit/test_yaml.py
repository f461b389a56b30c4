import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop._yaml import MAX_DEPTH, MAX_VALUES, BadYaml, load, load_documents
from execloop.controller.parameters.reading import SourceReader


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ("", None),
        ("'3'", "3"),
        ("2026-07-01", "2026-07-01"),
        ("2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"),
        ("{1: x, true: y}", {"1": "x", "true": "y"}),
        ("[a, 1.5]", ["a", 1.5]),
        ("[1:30, 1:0:0.5, 190:20:30]", ["1:30", "1:0:0.5", "190:20:30"]),
        ("[yes, Off, ~, !!str 3, !!int '7', !!float 1]", [True, False, None, "3", 7, 1.0]),
        ("[0x1F, 0b101, 017, -1_000, +3, 0, 1e3, 1.5e+3, .5]", [31, 5, 15, -1000, 3, 0, "1e3", 1500.0, 0.5]),
        ("a: &a [1, 2]\nb: *a\nc: &c x\nd: {*c : 1}", {"a": [1, 2], "b": [1, 2], "c": "x", "d": {"x": 1}}),
        (
            "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}",
            {"a": {"x": 1}, "b": {"x": 2, "y": 2}, "c": {"x": 1, "y": 2, "z": 3}},
        ),
        ("=", "="),
        ("'<<': 1", {"<<": 1}),
        ("{<<: {a: 1, b: 1}, b: 2}", {"a": 1, "b": 2}),
        ("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, x: 3}", {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}}),
    ],
)
def test_yaml_is_read_as_the_api_server_reads_it(text: str, value: object) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (".nan", "it has a number that JSON does not have (line 1, column 1)"),
        ("!!float 1" + "0" * 399, "it has a number that JSON does not have (line 1, column 1)"),
        ("a: " + "9" * 401, "a number has over 400 digits (line 1, column 4)"),
        ("a: 0x" + "f" * 5000, "a number has over 400 digits (line 1, column 4)"),
        ("!!binary aGk=", "it has a type that JSON does not have (line 1, column 1)"),
        ("!!python/object:os.system x", "it has a type that JSON does not have (line 1, column 1)"),
        ("!!set {a}", "it has a type that JSON does not have (line 1, column 1)"),
        ("!!int x", "it cannot be read (line 1, column 1)"),
        ("!!bool 3", "it cannot be read (line 1, column 1)"),
        ("{[a]: b}", "a key should be a word or a number (line 1, column 2)"),
        ("a: &a [1]\nb: {*a : 1}", "a key should be a word or a number (line 2, column 5)"),
        ("{<<: 1}", "a merge key (<<) should refer to a mapping (line 1, column 6)"),
        ("a: &a [*a]", "an alias has no anchor before it (line 1, column 8)"),
        ("a: b: c", "it cannot be read (line 1, column 5)"),
        ("a: 1\na: 2", "a key is repeated (line 2, column 1)"),
        ("a\n---\nb", "it has more than one document"),
        ("\x00", "it cannot be read"),
        ("\ud800", "it cannot be read"),
        ("x" * 2**20 + "x", "it is over 1024 KiB"),
        ("é" * 2**19 + "x", "it is over 1024 KiB"),
        ("[" * (MAX_DEPTH + 1), f"it is over 100 levels deep (line 1, column {MAX_DEPTH + 1})"),
        ("- 1\n" * MAX_VALUES, "it has over 100,000 values (line 100000, column 3)"),
        ("- &a " + "x" * 1000 + "\n- *a" * 1100, "its aliases expand to over 1024 KiB (line 1049, column 3)"),
    ],
)
def test_what_is_no_json_or_too_much_is_refused_by_rule_and_place(text: str, problem: str) -> None:
    with pytest.raises(BadYaml) as caught:
        load(text)
    assert str(caught.value) == problem


def test_the_author_of_a_text_is_told_which_key_is_there_twice() -> None:
    with pytest.raises(BadYaml) as caught:
        load("a: 1\na: 2")
    assert caught.value.detail == "the key 'a' is repeated (line 2, column 1)"


@pytest.mark.parametrize("text", ["1" + ":0" * 100_000, "1" + ":0" * 100_000 + ".5"])
def test_a_number_to_the_base_60_is_a_text(text: str) -> None:
    assert load(text) == text


def test_documents_are_read_one_after_another() -> None:
    documents = load_documents("a: 1\n---\n---\n&x b: 2\n---\n*x : 3")
    assert [next(documents), next(documents), next(documents)] == [{"a": 1}, None, {"b": 2}]
    with pytest.raises(BadYaml, match="an alias has no anchor before it"):  # another document's
        next(documents)


_words = st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs", "Zl", "Zp"]))
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _words,
    lambda inner: st.lists(inner) | st.dictionaries(_words, inner),
)


@given(_json)
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)  # libyaml knows no escaped surrogates
    assert load(text) == json.loads(json.dumps(_as_yaml(value)))


def _as_yaml(value: Any) -> Any:
    """JSON's `1e+16` has no point, so that it is a text in YAML 1.1."""
    match value:
        case float() if "." not in json.dumps(value):
            return json.dumps(value)
        case dict():
            return {key: _as_yaml(item) for key, item in value.items()}
        case list():
            return [_as_yaml(item) for item in value]
    return value


@given(st.text())
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    reason = ""
    try:
        json.dumps(load(text), allow_nan=False)
    except BadYaml as refused:
        reason = str(refused)
    assert "\n" not in reason


class TestReading:
    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The texts that were read, each of which is a list with itself in it."""
        texts: list[str] = []

        def note(text: str) -> list[str]:
            texts.append(text)
            return [text]

        monkeypatch.setattr("execloop.controller.parameters.reading.load", note)
        return texts

    def test_a_text_is_read_once_as_long_as_its_object_stays(self, read: list[str]) -> None:
        reading = SourceReader()
        reading.load(("uid", "1", "key"), "a").append("changed by a plan")
        assert reading.load(("uid", "1", "key"), "a") == ["a"]
        reading.load(("uid", "2", "key"), "a")
        assert read == ["a", "a"]

    def test_what_was_used_least_lately_is_forgotten_first(
        self, read: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("execloop.controller.parameters.reading._KEPT", 2 * len('["a"]'))
        reading = SourceReader()
        for text in ("a", "b", "a", "c", "a", "b"):
            reading.load((text, "1", "key"), text)
        assert read == ["a", "b", "c", "b"]

    def test_a_large_text_is_read_in_a_thread(self) -> None:
        async def where(size: int) -> bool:
            return await SourceReader().run(threading.current_thread, size) is threading.main_thread()

        assert (asyncio.run(where(4096)), asyncio.run(where(4097))) == (True, False)
