"""When a suspect may run, and when no more."""

from pathlib import Path

import pytest

from execloop.controller.plancode.journal import Journal
from execloop.controller.plancode.suspects import Suspects
from execloop.controller.plancode.suspicion import Crash, Suspicion
from execloop.testing import FakeClock

LITTLE, MORE, REFUSED = Suspicion(0, 1, "1"), Suspicion(1, 2, "1"), Suspicion(3, 4, "1")


class Asked:
    def __init__(self, path: Path, **known: Suspicion) -> None:
        self.clock, self.changes = FakeClock(), 0
        self.journal = Journal.open(path)
        self.journal.begin()
        self.suspects = Suspects(self.journal, self.clock.monotonic, self._changed)
        self.suspects.load(known)

    def _changed(self) -> None:
        self.changes += 1

    def turn(self) -> str:
        """What a death would say now."""
        with self.journal.running("other", "team/other", "1"):
            crash = self.journal.crash()
            assert isinstance(crash, Crash)
            return crash.turn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_a_plan_that_is_no_suspect_runs_at_once(path: Path) -> None:
    assert Asked(path, a=LITTLE).suspects.may_begin("b")


def test_a_suspect_waits_for_its_turn(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    assert not asked.suspects.may_begin("a")
    assert asked.suspects.next(busy=False) == "a"
    assert asked.suspects.may_begin("a")
    assert asked.turn() == "a"


def test_without_anybody_waiting_it_is_nobodys_turn(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    assert asked.suspects.next(busy=False) is None
    assert asked.turn() == ""


def test_the_least_suspect_comes_first(path: Path) -> None:
    asked = Asked(path, a=MORE, b=LITTLE)
    assert not asked.suspects.may_begin("a")
    assert not asked.suspects.may_begin("b")
    assert asked.suspects.next(busy=False) == "b"
    assert asked.suspects.next(busy=False) is None
    asked.suspects.ended("b")
    assert asked.turn() == ""
    assert asked.suspects.next(busy=False) == "a"


def test_suspects_run_after_the_others_but_do_not_wait_for_ever(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    asked.suspects.may_begin("a")
    asked.clock.advance(29)
    assert asked.suspects.next(busy=True) is None
    asked.clock.advance(1)
    assert asked.suspects.next(busy=True) == "a"


def test_a_long_turn_ends_so_that_the_others_do_not_wait_for_it(path: Path) -> None:
    asked = Asked(path, a=LITTLE, b=MORE)
    asked.suspects.may_begin("a")
    asked.suspects.may_begin("b")
    assert asked.suspects.next(busy=False) == "a"
    asked.clock.advance(30)
    assert asked.suspects.next(busy=True) == "b"
    assert asked.turn() == "b"
    asked.suspects.ended("a")
    assert asked.turn() == "b"


def test_a_long_turn_ends_also_when_nobody_waits(path: Path) -> None:
    """A death after that is anybody's among those that run."""
    asked = Asked(path, a=LITTLE)
    asked.suspects.may_begin("a")
    asked.suspects.next(busy=False)
    asked.clock.advance(30)
    assert asked.suspects.next(busy=False) is None
    assert asked.turn() == ""


def test_a_completed_run_clears_a_suspect(path: Path) -> None:
    asked = Asked(path, a=MORE)
    asked.suspects.completed("a")
    assert asked.suspects.may_begin("a")
    assert asked.suspects.cleared == {"a"}
    assert asked.changes == 1
    asked.suspects.load({"a": MORE})
    assert "a" not in asked.suspects


def test_a_completed_run_of_another_changes_nothing(path: Path) -> None:
    asked = Asked(path, a=MORE)
    asked.suspects.completed("b")
    assert not asked.changes
    assert not asked.suspects.cleared


def test_a_suspect_that_is_gone_gives_its_turn_up(path: Path) -> None:
    asked = Asked(path, a=LITTLE, b=LITTLE)
    asked.suspects.may_begin("a")
    asked.suspects.may_begin("b")
    asked.suspects.next(busy=False)
    asked.suspects.forget("a")
    assert asked.suspects.next(busy=False) == "b"
    asked.suspects.ended("b")
    asked.suspects.may_begin("b")
    asked.suspects.forget("b")
    assert asked.suspects.next(busy=False) is None


def test_one_that_another_process_cleared_waits_no_more(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    asked.suspects.may_begin("a")
    asked.suspects.load({})
    assert asked.suspects.next(busy=False) is None


def test_three_deaths_refuse_the_same_inputs_with_a_way_out(path: Path) -> None:
    suspects = Asked(path, a=REFUSED, b=MORE).suspects
    refusal = suspects.refusal("a", "1")
    assert refusal is not None
    assert "ended the operator's process 3 times" in refusal
    assert "requestedAt" in refusal
    assert suspects.refusal("a", "2") is None
    assert suspects.refusal("b", "1") is None
    assert suspects.refusal("c", "1") is None
