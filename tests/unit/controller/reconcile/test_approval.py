from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.controller.reconcile.approval import MOST_NAMES, covered, digest, hashes

WORK: dict[str, Any] = {
    "uid": "u-1",
    "execution_id": "e-1",
    "inputs": "i-1",
    "code_version": "1.0",
    "names": ["create a", "create b"],
}


def test_the_same_work_has_the_same_digest() -> None:
    assert digest(**WORK) == digest(**WORK) == "5b71a0fae9f5876bfe9e2e5cb551c14b"


@pytest.mark.parametrize(
    "change",
    [
        {"uid": "u-2"},
        {"execution_id": "e-2"},
        {"inputs": "i-2"},
        {"code_version": "1.1"},
        {"names": ["create b", "create a"]},
        {"names": ["create a"]},
        {"names": ["create a", "create b", "create b"]},
        {"names": ["create a,create b"]},
        {"uid": "u-1,e-1", "execution_id": ""},
    ],
    ids=str,
)
def test_a_digest_can_be_replayed_on_nothing_else(change: dict[str, Any]) -> None:
    assert digest(**WORK | change) != digest(**WORK)


_names = st.lists(st.text(max_size=10), max_size=10)


@given(approved=_names, later=_names)
def test_an_approval_covers_runs_that_ask_for_approved_names_only(approved: list[str], later: list[str]) -> None:
    kept = hashes(approved, "d")
    assert covered(later, kept, "d") == (set(later) <= set(approved))


def test_names_approved_with_one_digest_are_not_with_another() -> None:
    assert not covered(["a"], hashes(["a"], "d"), "e")


def test_a_repeated_name_is_kept_once() -> None:
    assert hashes(["a", "b", "a"], "d") == hashes(["b", "a"], "d")


@pytest.mark.parametrize(("count", "characters"), [(MOST_NAMES, 8 * MOST_NAMES), (MOST_NAMES + 1, 0)])
def test_so_many_names_are_kept_as_the_status_has_room_for(count: int, characters: int) -> None:
    names = [f"task {number}" for number in range(count)]
    assert len(hashes(names, "d")) == characters


def test_an_approval_whose_names_are_not_kept_covers_no_later_run() -> None:
    assert not covered(["a"], "", "d")
