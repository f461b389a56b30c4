"""What the page keeps of the texts of a Plan's run: no secret in any form, and not more than fits."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.page.runs.texts import Redacted

SECRET = "hunter2-correct/horse battery"
FORMS = [
    SECRET,
    base64.b64encode(SECRET.encode()).decode(),
    base64.b64encode(b"x" + SECRET.encode()).decode(),
    urllib.parse.quote(SECRET),
    json.dumps(SECRET + "\n"),
    repr(SECRET.encode()),
]


def readable(text: str) -> bool:
    """Whether a part of the secret can be read from it."""
    parts = {SECRET[place : place + 8] for place in range(len(SECRET) - 8)}
    encoded = {form[place : place + 12] for form in FORMS for place in range(len(form) - 12)}
    return any(part in text for part in parts | encoded)


@pytest.mark.parametrize("before", [0, 190, 995])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_in_no_text_in_whatever_form_also_where_the_text_is_cut(form: str, before: int) -> None:
    texts, said = Redacted(Redactor([SECRET])), f"{'- ' * (before // 2)}{form} and more {'- ' * 600}"
    assert readable(said)
    assert not readable(texts.name(said))
    assert not readable(texts.message(said))
    assert not readable(texts.error(OSError(said)))


def test_beside_a_very_short_secret_an_error_shows_its_type_alone() -> None:
    assert Redacted(Redactor(["abc"])).error(OSError("no such user abc")) == "OSError"


def test_texts_are_cut_after_they_were_redacted() -> None:
    texts = Redacted(Redactor())
    assert texts.name("n" * 5000) == "n" * 199 + "…"
    assert texts.message("m" * 5000) == "m" * 999 + "…"


def test_a_name_is_redacted_once_in_a_run() -> None:
    class Counting(Redactor):
        calls = 0

        def text(self, message: str) -> str:
            self.calls += 1
            return super().text(message)

    redactor = Counting([SECRET])
    texts = Redacted(redactor)
    assert [texts.name("rotate") for _ in range(50)] == ["rotate"] * 50
    assert redactor.calls == 1


def test_a_plan_with_endless_names_does_not_keep_the_redactor_busy() -> None:
    texts = Redacted(Redactor([SECRET]))
    shown = {texts.name(f"{number}{'n' * 30_000}")[-10:] for number in range(100)}
    assert shown == {"n" * 9 + "…", " too long)"}
