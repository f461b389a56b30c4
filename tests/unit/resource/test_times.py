"""Times as people read them."""

from datetime import UTC, datetime

import pytest

from execloop.resource.times import age, span

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (10_799, "179m"), (12_000, "3h20m"), (86_400, "24h"), (172_800, "2d")],
)
def test_spans_are_short(seconds: int, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize("text", [None, "", "soon"])
def test_what_is_no_time_is_a_dash(text: object) -> None:
    assert age(text) == "-"
