"""What a signature of the page is good for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.kube import ConfigurationError
from execloop.page.access.session import LIFETIME, Sessions, read_key

KEY = b"k" * 32
TOKENS = st.from_regex(r"[A-Za-z0-9._~+/-]+=*", fullmatch=True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(TOKENS)
def test_a_cookie_gives_back_its_token(token: str) -> None:
    sessions = Sessions(KEY, Clock())
    assert sessions.token(sessions.cookie(token)) == token


@given(TOKENS, st.integers(min_value=0), st.characters(codec="ascii"))
def test_a_cookie_with_any_character_changed_is_none(token: str, place: int, other: str) -> None:
    sessions = Sessions(KEY, Clock())
    cookie = sessions.cookie(token)
    place %= len(cookie)
    forged = cookie[:place] + other + cookie[place + 1 :]
    assert sessions.token(forged) == (token if forged == cookie else None)


@given(st.text())
def test_any_text_is_no_cookie_and_no_form_token(text: str) -> None:
    sessions = Sessions(KEY, Clock())
    assert sessions.token(text) is None
    assert not sessions.made_here(text, "ann")


def test_a_cookie_of_another_replica_with_the_same_key_is_good_and_of_another_key_is_not() -> None:
    cookie = Sessions(KEY, Clock()).cookie("token")
    assert Sessions(KEY, Clock()).token(cookie) == "token"
    assert Sessions(b"o" * 32, Clock()).token(cookie) is None


def test_cookies_and_form_tokens_end_with_their_lifetime() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    cookie, form = sessions.cookie("token"), sessions.form_token("ann")
    clock.now += LIFETIME
    assert sessions.token(cookie) is None
    assert not sessions.made_here(form, "ann")


def test_a_form_token_is_good_for_its_person_alone() -> None:
    sessions = Sessions(KEY, Clock())
    assert sessions.made_here(sessions.form_token("ann"), "ann")
    assert not sessions.made_here(sessions.form_token("ann"), "bob")


def test_a_form_token_is_no_cookie_and_a_cookie_no_form_token() -> None:
    sessions = Sessions(KEY, Clock())
    until, _, signature = sessions.form_token("ann").partition(":")
    assert sessions.token(f"{until}:{signature}:ann") is None
    until, signature, _ = sessions.cookie("ann").split(":")
    assert not sessions.made_here(f"{until}:{signature}", "ann")


def test_without_a_file_each_process_has_a_key_of_its_own() -> None:
    assert read_key(None) != read_key(None)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read: No such file"), (b"short\n", "has 5 bytes: it needs at least 32")]
)
def test_a_key_file_that_is_of_no_use_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{file}.*{problem}"):
        read_key(file)
