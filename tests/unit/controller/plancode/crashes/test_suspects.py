"""When a suspect may run, and when no more."""

from pathlib import Path

import pytest

from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspects import Suspects
from execloop.controller.plancode.crashes.suspicion import Call, Crash, Suspicion
from execloop.testing import FakeClock

LITTLE, MORE, REFUSED = Suspicion(0, 1, "1"), Suspicion(1, 2, "1"), Suspicion(3, 4, "1")


class Asked:
    """The key of a Plan is its uid in capitals."""

    def __init__(self, path: Path, **known: Suspicion) -> None:
        self.clock, self.changes = FakeClock(), 0
        self.journal = Journal.open(path)
        self.journal.begin()
        self.suspects = Suspects(self.journal, self.clock.monotonic, self._changed)
        self.suspects.load(known)

    def _changed(self) -> None:
        self.changes += 1

    def wait(self, *uids: str) -> None:
        for uid in uids:
            assert not self.suspects.may_begin(uid.upper(), uid)

    def crash(self) -> Crash:
        """What a death would say now."""
        end = self.journal.note(Call("other", "OTHER", "1"))
        crash = self.journal.crash()
        end()
        assert crash is not None
        return crash

    def turn(self) -> str:
        return self.crash().turn

    def reconciled(self, uid: str, inputs: str = "1") -> None:
        """A reconcile that runs plan code, from end to end."""
        assert self.suspects.refusal(uid.upper(), uid, inputs) is None
        self.suspects.note(uid.upper())()
        self.suspects.ended(uid.upper(), uid)


def test_how_many_tasks_a_plan_returned_is_noted_for_its_call_and_the_next(path: Path) -> None:
    asked = Asked(path)
    asked.suspects.refusal("A", "a", "1")
    end = asked.suspects.note("A")
    asked.suspects.left("A", 7)
    assert asked.crash().calls[0].left == 7
    end()
    asked.suspects.note("A")
    assert asked.crash().calls[0].left == 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_a_plan_that_is_no_suspect_runs_at_once(path: Path) -> None:
    assert Asked(path, a=LITTLE).suspects.may_begin("B", "b")


def test_a_suspect_waits_for_its_turn(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    asked.wait("a")
    assert asked.suspects.next(busy=False) == "A"
    assert asked.suspects.may_begin("A", "a")
    assert asked.turn() == "a"


def test_without_anybody_waiting_it_is_nobodys_turn(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    assert asked.suspects.next(busy=False) is None
    assert asked.turn() == ""


def test_the_least_suspect_comes_first_and_one_at_a_time(path: Path) -> None:
    asked = Asked(path, a=MORE, b=LITTLE)
    asked.wait("a", "b")
    assert asked.suspects.next(busy=False) == "B"
    assert asked.suspects.next(busy=False) is None
    asked.suspects.ended("B", "b")
    assert asked.turn() == ""
    assert asked.suspects.next(busy=False) == "A"


def test_suspects_run_after_the_others_but_do_not_wait_for_ever(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    asked.wait("a")
    asked.clock.advance(29)
    asked.wait("a")
    assert asked.suspects.next(busy=True) is None
    asked.clock.advance(1)
    assert asked.suspects.next(busy=True) == "A"


def test_a_long_turn_ends_so_that_the_others_do_not_wait_for_it(path: Path) -> None:
    asked = Asked(path, a=LITTLE, b=MORE)
    asked.wait("a", "b")
    assert asked.suspects.next(busy=False) == "A"
    asked.clock.advance(30)
    assert asked.suspects.next(busy=True) == "B"
    assert asked.turn() == "b"
    asked.suspects.ended("A", "a")
    assert asked.turn() == "b"


def test_a_long_turn_ends_also_when_nobody_waits(path: Path) -> None:
    """A death after that is anybody's among those that run."""
    asked = Asked(path, a=LITTLE)
    asked.wait("a")
    asked.suspects.next(busy=False)
    asked.clock.advance(30)
    assert asked.suspects.next(busy=False) is None
    assert asked.turn() == ""


def test_a_suspect_that_is_gone_gives_its_turn_up(path: Path) -> None:
    asked = Asked(path, a=LITTLE, b=LITTLE)
    asked.wait("a", "b")
    asked.suspects.next(busy=False)
    asked.suspects.forget("a")
    assert asked.suspects.next(busy=False) == "B"
    asked.suspects.ended("B", "b")
    asked.wait("b")
    asked.suspects.forget("b")
    assert asked.suspects.next(busy=False) is None
    assert asked.suspects.cleared == {"a", "b"}


def test_one_that_another_process_cleared_meanwhile_runs_without_a_turn(path: Path) -> None:
    asked = Asked(path, a=LITTLE)
    asked.wait("a")
    asked.suspects.load({})
    assert asked.suspects.next(busy=False) == "A"
    assert asked.turn() == ""


# -- what clears one


def test_a_reconcile_whose_plan_code_has_ended_clears_a_suspect(path: Path) -> None:
    asked = Asked(path, a=MORE)
    asked.reconciled("a")
    assert asked.suspects.may_begin("A", "a")
    assert asked.suspects.cleared == {"a"}
    assert asked.changes == 1
    asked.suspects.load({"a": MORE})
    assert "a" not in asked.suspects


def test_a_reconcile_without_plan_code_clears_nobody(path: Path) -> None:
    asked = Asked(path, a=MORE)
    asked.suspects.ended("A", "a")
    asked.suspects.refusal("A", "a", "1")
    asked.suspects.ended("A", "a")
    assert "a" in asked.suspects


def test_plan_code_that_was_left_behind_clears_nobody_while_it_runs(path: Path) -> None:
    asked = Asked(path, a=MORE)
    asked.suspects.refusal("A", "a", "1")
    end = asked.suspects.note("A")
    asked.suspects.ended("A", "a")
    assert "a" in asked.suspects
    assert asked.crash().calls[0] == Call("a", "A", "1")
    end()
    asked.suspects.ended("A", "a")
    assert "a" in asked.suspects
    asked.reconciled("a")
    assert "a" not in asked.suspects


def test_a_reconcile_of_another_changes_nothing(path: Path) -> None:
    asked = Asked(path, a=MORE)
    asked.reconciled("b")
    assert not asked.changes
    assert not asked.suspects.cleared


# -- who may not run


def test_plan_code_that_was_not_admitted_is_not_noted(path: Path) -> None:
    asked = Asked(path)
    end = asked.suspects.note("A")
    assert [call.uid for call in asked.crash().calls] == ["other"]
    end()


def test_three_deaths_refuse_the_same_inputs(path: Path) -> None:
    suspects = Asked(path, a=REFUSED, b=MORE).suspects
    refusal = suspects.refusal("A", "a", "1")
    assert str(refusal) == "its code ended the operator's process 3 times in a row"
    assert suspects.refusal("A", "a", "2") is None
    assert suspects.refusal("B", "b", "1") is None
    assert suspects.refusal("C", "c", "1") is None
