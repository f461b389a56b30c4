"""Which steps a history calls for. `a b` are migrations, `a:old` is a changed text."""

import pytest

from execloop.library.sql.history import Record, Rules, assess
from execloop.library.sql.migration import Migration, natural_order


def migration(word: str) -> Migration:
    """`a` in a transaction, `a:text` with another text, `a!` repeatable."""
    name, _, text = word.partition(":")
    return Migration(name.rstrip("!"), text or name.rstrip("!"), repeatable=name.endswith("!"))


def record(word: str) -> Record:
    """`a` applied, `a*` begun, `a=` of the baseline."""
    made = migration(word.rstrip("*="))
    return Record(made.name, made.checksum, {"*": "started", "=": "baseline"}.get(word[-1], "applied"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "history", "rules", "steps"),
    [
        ("a b", "", Rules(), "apply a, apply b"),
        ("a b", "a", Rules(), "apply b"),
        ("a b", "a b", Rules(), ""),
        ("a b", "a b*", Rules(), "apply b"),
        ("a b:new", "a b:old*", Rules(), "apply b"),
        ("a b c", "a c", Rules(), "! b is not applied, and c after it is"),
        ("a b c", "a c", Rules(out_of_order=True), "apply b"),
        ("a b c", "a c*", Rules(), "apply b, apply c"),
        ("a:new", "a", Rules(), "! a was changed after it was applied"),
        ("a:new b", "a", Rules(accept=frozenset("a")), "accept a, apply b"),
        ("a:new b", "a b", Rules(accept=frozenset("b")), "! a was changed after it was applied"),
        ("a c", "a b c", Rules(), "! b was applied and is missing"),
        ("a c", "a b c", Rules(missing=True), ""),
        ("a", "a b c", Rules(), ""),
        ("x", "a b", Rules(), "! a was applied and is missing"),
        ("a b c", "", Rules(baseline="b"), "baseline a, baseline b, apply c"),
        ("a b c", "a=", Rules(baseline="b"), "baseline b, apply c"),
        ("a b c", "a= b= c", Rules(baseline="b"), ""),
        ("a b c", "a", Rules(baseline="b"), "apply b, apply c"),
        ("a b", "", Rules(baseline="z"), "! the baseline z is not among the migrations"),
        ("v! a", "", Rules(), "apply a, apply v"),
        ("v!:new a", "v!:old a", Rules(), "apply v"),
        ("v! a", "v! a", Rules(), ""),
        ("a", "a v!", Rules(), ""),
    ],
)
def test_a_history_calls_for_these_steps(wanted: str, history: str, rules: Rules, steps: str) -> None:
    assessment = assess([migration(word) for word in wanted.split()], [record(word) for word in history.split()], rules)
    said = [f"{step.action} {step.migration.name}" for step in assessment.steps]
    said += [f"! {problem}" for problem in assessment.problems]
    assert len(said) == len(list(filter(None, steps.split(", ")))) or steps.startswith("!")
    assert ", ".join(said).startswith(steps)


def test_while_the_history_contradicts_nothing_is_due() -> None:
    assessment = assess([migration("a:new"), migration("b")], [record("a")], Rules())
    assert assessment.problems
    assert assessment.steps == ()


def test_how_lines_end_changes_no_checksum() -> None:
    assert Migration("a", "x\r\ny\n\n").checksum == Migration("a", "x\ny").checksum
    assert Migration("a", "x y").checksum != Migration("a", "x\ny").checksum


@pytest.mark.parametrize(
    ("text", "transaction", "repeatable"),
    [
        ("select 1", True, False),
        ("-- execloop: no-transaction\nselect 1", False, False),
        ("-- A comment.\n\n--execloop:repeatable\n-- execloop: no-transaction\nselect 1", False, True),
        ("select 1; -- execloop: repeatable", True, False),
    ],
)
def test_a_file_says_at_its_top_how_it_runs(text: str, transaction: bool, repeatable: bool) -> None:
    made = Migration.from_file("1.sql", text)
    assert (made.name, made.transaction, made.repeatable, made.sql) == ("1", transaction, repeatable, text)


def test_a_directive_with_another_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="no-transaction or repeatable"):
        Migration.from_file("1.sql", "-- execloop: no-transactions\nselect 1")


def test_names_are_in_the_order_in_which_people_count() -> None:
    assert sorted(["V10__a", "V2__b", "V1.1__c", "V1__d"], key=natural_order) == ["V1.1__c", "V1__d", "V2__b", "V10__a"]


def test_a_long_text_is_cut_for_those_who_approve_and_its_checksum_stays() -> None:
    long = Migration("a", "é" * 5000)
    assert len(long.detail.encode()) <= 4096
    assert long.checksum in long.detail
    assert long.detail.endswith("bytes more")
