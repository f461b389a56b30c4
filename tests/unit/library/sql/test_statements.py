import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.library.sql.statements import concurrent_index, split, transaction_control


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("a; b", ["a", "b"]),
        ("a;;\n; -- c\n", ["a"]),
        ("select ';'; b", ["select ';'", "b"]),
        ("select 'it''s;'; b", ["select 'it''s;'", "b"]),
        (r"select E'\';'; b", [r"select E'\';'", "b"]),
        ('select ";"; b', ['select ";"', "b"]),
        ("do $$ a; $$; b", ["do $$ a; $$", "b"]),
        ("do $x$ $$ ; $$ $x$; b", ["do $x$ $$ ; $$ $x$", "b"]),
        ("/* a; /* b; */ c; */ d; e", ["/* a; /* b; */ c; */ d", "e"]),
        ("a -- it's;\n; b", ["a -- it's;", "b"]),
        ("select $1; b", ["select $1", "b"]),
    ],
)
def test_a_semicolon_ends_a_statement_where_it_is_no_text(text: str, statements: list[str]) -> None:
    assert list(split(text)) == statements


@given(st.text("ab;'\"$-/*\n", max_size=60))
def test_any_text_is_split_and_nothing_but_semicolons_and_comments_is_lost(text: str) -> None:
    parts = "".join(split(text))
    assert len(parts) <= len(text)
    assert all(part in text for part in split(text))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select 1; COMMIT", "COMMIT"),
        ("/* all */ begin; select 1", "BEGIN"),
        ("-- start\nstart transaction", "START"),
        ("select 'commit'", None),
        ("do $$ begin null; end $$", None),
        ("create table commit_log (id int)", None),
        ("savepoint a; release a", None),
    ],
)
def test_what_ends_a_transaction_is_found(text: str, word: str | None) -> None:
    assert transaction_control(text) == word


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("CREATE INDEX CONCURRENTLY a ON t (x)", ("a",)),
        ('create unique index concurrently if not exists "A b" on only "S".t using gin (x)', ("S", "A b")),
        ("create index a on t (x)", None),
        ("drop index concurrently a", None),
    ],
)
def test_the_index_that_a_statement_creates_concurrently_is_known(
    statement: str, place: tuple[str, ...] | None
) -> None:
    found = concurrent_index(statement)
    assert (found and found.place) == place
