"""Who is held to have ended a process, and who is not."""

import json
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.controller.plancode.crashes.suspicion import (
    CRASHES,
    Call,
    Crash,
    Suspicion,
    after,
    decode,
    encode,
    turn_seconds,
)


def calls(*uids: str, inputs: str = "1") -> tuple[Call, ...]:
    return tuple(Call(uid, f"team/{uid}", inputs) for uid in uids)


def test_a_death_counts_against_the_only_plan_that_ran() -> None:
    assert after(Crash(calls("a")), {}) == {"a": Suspicion(1, 1, "1")}


def test_a_death_counts_against_none_of_several() -> None:
    assert after(Crash(calls("a", "b")), {}) == {"a": Suspicion(0, 1, "1"), "b": Suspicion(0, 1, "1")}


def test_two_calls_of_one_plan_are_one_plan() -> None:
    assert after(Crash(calls("a", "a")), {}) == {"a": Suspicion(1, 1, "1")}


def test_a_death_counts_against_the_suspect_whose_turn_it_was_and_makes_the_others_suspect() -> None:
    found = after(Crash(calls("a", "b"), turn="a"), {"a": Suspicion(1, 2, "1")})
    assert found == {"a": Suspicion(2, 3, "1"), "b": Suspicion(0, 1, "1")}


def test_a_turn_whose_plan_did_not_run_counts_against_nobody() -> None:
    found = after(Crash(calls("b", "c"), turn="a"), {"a": Suspicion(1, 2, "1")})
    assert found == {"a": Suspicion(1, 2, "1"), "b": Suspicion(0, 1, "1"), "c": Suspicion(0, 1, "1")}


def test_the_third_death_refuses_the_inputs_and_no_others() -> None:
    suspects: dict[str, Suspicion] = {}
    for _ in range(CRASHES):
        assert not ("a" in suspects and suspects["a"].refused("1"))
        suspects = after(Crash(calls("a")), suspects)
    assert suspects["a"].refused("1")
    assert not suspects["a"].refused("2")


def test_other_inputs_begin_at_zero() -> None:
    assert after(Crash(calls("a", inputs="2")), {"a": Suspicion(3, 5, "1")}) == {"a": Suspicion(1, 1, "2")}


@pytest.mark.parametrize(
    ("before", "left", "expected"),
    [
        (Suspicion(2, 5, "1", 9), 8, Suspicion(1, 1, "1", 8)),  # it came closer to its end
        (Suspicion(2, 5, "1", 9), 9, Suspicion(3, 6, "1", 9)),
        (Suspicion(2, 5, "1", 9), 10, Suspicion(3, 6, "1", 9)),  # it was closer once
        (Suspicion(2, 5, "1", 9), 0, Suspicion(3, 6, "1", 9)),  # it died in create()
        (Suspicion(2, 5, "1", 0), 9, Suspicion(3, 6, "1", 9)),
    ],
)
def test_a_plan_with_fewer_tasks_left_than_ever_before_counts_anew(
    before: Suspicion, left: int, expected: Suspicion
) -> None:
    crash = Crash((Call("a", "team/a", "1", left),))
    assert after(crash, {"a": before}) == {"a": expected}


@given(st.integers(1, 6), st.integers(1, 40), st.randoms(use_true_random=False))
def test_kills_from_outside_accuse_no_plan_that_works(plans: int, tasks: int, chance: random.Random) -> None:
    left = {f"plan-{number}": tasks for number in range(plans)}
    suspects: dict[str, Suspicion] = {}
    while left:
        least = min(left, key=lambda uid: suspects.get(uid, Suspicion(0, 0, "")).rank)
        suspects = after(Crash((Call(least, least, "1", left[least]),), turn=least), suspects)
        left[least] -= chance.randint(1, 3)
        left = {uid: number for uid, number in left.items() if number > 0}
    assert not any(held.refused("1") for held in suspects.values())


def test_what_an_older_operator_wrote_down_is_read() -> None:
    assert decode('{"a": [1, 2, "1"]}') == {"a": Suspicion(1, 2, "1")}


@pytest.mark.parametrize(("deaths", "seconds"), [(0, 30), (1, 30), (2, 60), (5, 480), (9, 3600), (1000, 3600)])
def test_a_turn_doubles_with_each_death(deaths: int, seconds: float) -> None:
    assert turn_seconds(Suspicion(0, deaths, "")) == seconds


counts = st.integers(0, 1000)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
lefts = st.integers(0, 2**32 - 1)
known = st.dictionaries(names, st.builds(Suspicion, counts, counts, names, lefts), max_size=200)


@given(known)
def test_what_is_written_down_is_read_again(suspects: dict[str, Suspicion]) -> None:
    assert decode(encode(suspects)) == suspects


def test_of_too_many_the_most_suspect_and_then_the_newest_are_kept() -> None:
    many = {f"old-{n}": Suspicion(0, 1, "1") for n in range(300)} | {"new": Suspicion(0, 1, "1")}
    kept = decode(encode({"worst": Suspicion(2, 2, "1")} | many))
    assert len(kept) == 200
    assert {"worst", "new", "old-299"} <= kept.keys()


def test_the_largest_that_is_written_down_can_be_read() -> None:
    uids = [f"{n:036}" for n in range(500)]
    text = encode({uid: Suspicion(1000, 1000, "f" * 64) for uid in uids})
    assert len(decode(text)) == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '"a"',
        "[" * 20_000,
        '{"a": 1}',
        '{"a": [1, 1]}',
        '{"a": [true, 1, "1"]}',
        '{"a": [-1, 1, "1"]}',
        '{"a": [1.0, 1, "1"]}',
        '{"a": [NaN, 1, "1"]}',
        '{"a": [1001, 1, "1"]}',
        '{"a": [1, 1, null]}',
        json.dumps({"a": [1, 1, "x" * 65]}),
        json.dumps({"x" * 65: [1, 1, "1"]}),
        '{"": [1, 1, "1"]}',
        " " * 32_001,
    ],
)
def test_what_cannot_be_read_accuses_nobody(text: str) -> None:
    assert decode(text) == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(names, v)
    )
)
def test_no_text_is_an_error(value: object) -> None:
    for suspicion in decode(json.dumps(value)).values():
        assert 0 <= suspicion.crashes <= 1000


@dataclass
class World:
    """Plans on an operator that is started again after each death, by the rules of turns; `culprits` end it."""

    plans: list[str]
    culprits: set[str]
    chance: random.Random
    suspects: dict[str, Suspicion] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    lives: int = 0

    def live(self) -> bool:
        """Whether this life ended with a death."""
        self.lives += 1
        todo = [plan for plan in self.plans if plan not in self.done and not self._refused(plan)]
        others = [plan for plan in todo if plan not in self.suspects]
        self.chance.shuffle(others)
        while others:
            together, others = others[:3], others[3:]
            if self.culprits & set(together):
                self.suspects = after(Crash(calls(*together)), self.suspects)
                return True
            self.done.update(together)
        for plan in sorted(set(todo) & self.suspects.keys(), key=lambda plan: (self.suspects[plan].rank, plan)):
            if plan in self.culprits:
                self.suspects = after(Crash(calls(plan), turn=plan), self.suspects)
                return True
            self.done.add(plan)
            del self.suspects[plan]
        return False

    def _refused(self, plan: str) -> bool:
        return plan in self.suspects and self.suspects[plan].refused("1")


@given(st.integers(1, 12), st.sets(st.integers(0, 11), max_size=4), st.randoms(use_true_random=False))
def test_the_culprits_are_refused_and_the_others_done(count: int, culprits: set[int], chance: random.Random) -> None:
    plans = [f"plan-{number}" for number in range(count)]
    world = World(plans, {f"plan-{number}" for number in culprits if number < count}, chance)
    while world.live():
        assert world.lives < 100
    assert world.done == set(plans) - world.culprits
    assert {uid for uid, held in world.suspects.items() if held.refused("1")} == world.culprits
    assert world.lives <= 1 + (CRASHES + 1) * len(world.culprits)
