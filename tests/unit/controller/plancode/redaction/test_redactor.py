import base64
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from execloop.controller.plancode.redaction.redactor import LONGEST, MASK, Redactor, leaves, names


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("cannot log in", "cannot log in"),
        ("hunter22 is wrong", "… is wrong"),
        ("hunter22 and hunter22", "… and …"),
        ("user=admin1, password=hunter22", "user=…, password=…"),
        ("Authorization: Basic YWRtaW4xOmh1bnRlcjIy", "Authorization: Basic …O…"),
        ("admin1hunter22", "……"),
    ],
)
def test_an_ellipsis_stands_for_each_secret(message: str, shown: str) -> None:
    assert Redactor(["hunter22", "admin1"]).text(message) == shown


def test_without_secrets_a_message_is_shown_as_it_is() -> None:
    assert Redactor().text("all is well") == "all is well"
    assert Redactor().error(ValueError("all is well")) == "ValueError: all is well"


def test_of_overlapping_secrets_nothing_stays() -> None:
    assert Redactor(["abcdef", "defghi"]).text("<abcdefghi>") == f"<{MASK}>"


def test_an_error_is_its_type_and_its_message() -> None:
    assert Redactor(["hunter22"]).error(KeyError("hunter22")) == "KeyError: '…'"


@pytest.mark.parametrize("short", ["abc", "7", "ab\n", "abc\n"])
def test_of_an_error_only_the_type_is_shown_when_a_secret_is_too_short_to_be_taken_out(short: str) -> None:
    assert Redactor(["long enough", short]).error(ValueError("wrong: abc")) == "ValueError"


def test_a_short_secret_is_taken_out_of_a_message_where_it_is_a_word() -> None:
    assert Redactor(["abc"]).text("abc, sec_abc and abcd of user:abc") == "…, sec_… and abcd of user:…"


def test_a_secret_that_ends_in_a_line_feed_is_known_without_it() -> None:
    assert Redactor(["hunter22\n"]).text("wrong password hunter22") == "wrong password …"


def test_a_secret_that_pydantic_shortens_is_taken_out() -> None:
    class Key(BaseModel):
        number: int

    secret = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBg" * 20 + "\n-----END PRIVATE KEY-----\n"
    with pytest.raises(ValidationError) as refused:
        Key(number=secret)  # type: ignore[arg-type]  # the very mistake
    shown = Redactor([secret]).error(refused.value)
    assert "input_value='………'" in shown.replace("...", MASK)
    assert "BEGIN" not in shown
    assert "END" not in shown


def test_a_megabyte_is_taken_out() -> None:
    secret = "0123456789abcdé\n" * 2**16
    shown = Redactor([secret]).text(f"<{json.dumps(secret)}>")
    assert set(shown.removeprefix('<"')) == {MASK}


def test_of_a_message_that_nobody_could_read_the_beginning_is_shown() -> None:
    assert Redactor(["hunter22"]).text("x" * LONGEST + "hunter22") == "x" * LONGEST + MASK


def test_a_secret_that_stands_where_a_message_is_cut_is_taken_out() -> None:
    shown = Redactor(["correct-horse"]).text("x" * (LONGEST - 8) + "correct-horse")
    assert shown == "x" * (LONGEST - 8) + MASK + MASK


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("cannot parse line 2: user = admin", "cannot parse line 2: …"),
        ("user = admin\nhost = db.internal", "…"),
        ("the last line is host = db.internal.", "the last line is …."),
        ("}", "}"),
    ],
)
def test_each_line_of_a_secret_is_taken_out(message: str, shown: str) -> None:
    assert Redactor(["{\n  user = admin\n  host = db.internal\n}\n"]).text(message).replace("……", MASK) in {
        shown,
        "…\n…",
    }


@pytest.mark.parametrize(
    "quote", [urllib.parse.quote, urllib.parse.quote_plus, lambda text: urllib.parse.quote(text, "")]
)
@given(
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=30),
    before=st.text("ab/ ", max_size=3),
)
def test_no_secret_survives_percent_encoded(quote: Callable[[str], str], secret: str, before: str) -> None:
    shown = Redactor([secret]).text(f"GET https://host/{quote(before)}?a={quote(secret)}&b=1 failed")
    assert shown == f"GET https://host/{quote(before)}?a={MASK}&b=1 failed"


def test_others_are_taken_out_as_secrets_are_but_let_an_error_speak() -> None:
    redactor = Redactor(["hunter22"], ["web", "shop-frontend"])
    assert redactor.error(ValueError("web: no shop-frontend for hunter22")) == "ValueError: …: no … for …"


def test_a_secret_of_many_values_is_taken_out_of_many_messages() -> None:
    redactor = Redactor(f"value-{number:08}" for number in range(20_000))
    shown = {redactor.text(f"create user value-{number:08} of 1,000") for number in range(1_000)}
    assert shown == {"create user … of 1,000"}


@given(
    secrets=st.lists(st.text("ab", min_size=4, max_size=8), min_size=1, max_size=8), message=st.text("ab ", max_size=40)
)
def test_what_is_taken_out_is_what_a_plain_search_finds(secrets: list[str], message: str) -> None:
    hidden = [False] * len(message)
    for secret in secrets:
        for start in range(len(message)):
            if message.startswith(secret, start):
                hidden[start : start + len(secret)] = [True] * len(secret)
    kept = "".join(character for character, gone in zip(message, hidden, strict=True) if not gone)
    assert Redactor(secrets).text(message).replace(MASK, "") == kept


@given(st.lists(st.text("ab", min_size=60, max_size=80), min_size=1, max_size=4), st.text("ab", max_size=200))
def test_of_long_secrets_nothing_whole_stays(secrets: list[str], message: str) -> None:
    shown = Redactor(secrets).text(message + secrets[0])
    assert not any(secret in shown for secret in secrets)


def test_the_names_in_a_tree_are_its_keys_but_for_public_ones() -> None:
    tree = {"name": {"hidden-key": "x"}, "other-key": [{"name": 1}]}
    assert sorted(names(tree, frozenset({"name"}))) == ["hidden-key", "other-key"]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"a": "x", "b": {"c": ["y", 7, 1.5]}}, ["x", "y", "7", "1.5"]),
        ({"a": True, "b": False, "c": None, "d": "", "e": {}, "f": []}, []),
        ("x", ["x"]),
        ({"a": 0}, ["0"]),
    ],
)
def test_the_leaves_of_a_tree_are_its_values_as_text(tree: Any, expected: list[str]) -> None:
    assert sorted(leaves(tree)) == sorted(expected)


def test_a_tree_may_be_deep() -> None:
    tree: Any = "leaf"
    for _ in range(10_000):
        tree = [tree]
    assert list(leaves(tree)) == ["leaf"]


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=MASK + "."), max_size=30)
_secret = _text.filter(lambda text: len(text) >= 4)

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "JSON": json.dumps,
    "JSON with Unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "repr of repr": lambda text: repr(repr(text)),
    "repr of JSON": lambda text: repr(json.dumps(text)),
    "an error in an error": lambda text: str(KeyError(str(KeyError(text)))),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(secret=_secret, before=_text, after=_text)
def test_no_secret_survives_escaped(encoding: str, secret: str, before: str, after: str) -> None:
    encode = ENCODINGS[encoding]
    shown = Redactor([secret]).text(encode(before + secret + after))
    assert _inner(encode, secret) not in shown
    assert MASK in shown


def _inner(encode: Any, secret: str) -> str:
    """The form of a secret within, without what stands at the ends of every form."""
    whole, empty = encode(secret), encode("")
    width = len(empty) // 2
    return str(whole[len(empty) - width : len(whole) - width])


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
@given(secret=_secret, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_no_secret_survives_in_base64(encode: Any, padded: bool, secret: str, before: bytes, after: bytes) -> None:
    encoded = encode(before + secret.encode() + after).decode()
    shown = Redactor([secret]).text(encoded if padded else encoded.rstrip("="))
    left, _, right = shown.rstrip("=").partition(MASK)
    assert MASK in shown
    assert len(left) <= len(before) * 8 // 6
    assert len(right) <= (len(after) * 8 + 5) // 6


@given(secrets=st.lists(_secret, min_size=1, max_size=4), glue=_text)
def test_no_secret_survives_among_others(secrets: list[str], glue: str) -> None:
    shown = Redactor(secrets).text(glue.join(secrets))
    for secret in secrets:
        assert secret not in shown


@given(secrets=st.lists(st.text("abcdef", min_size=4), max_size=3), message=st.text(" .,:;!?"))
def test_a_message_without_secrets_stays_as_it_is(secrets: list[str], message: str) -> None:
    assert Redactor(secrets).text(message) == message
