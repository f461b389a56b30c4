"""The work queue against what it promises: no key is lost, none is in work twice.

The best of those due comes, and each eighth time the one that has been due longest.
"""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from execloop.controller.watch.workqueue import Priority, WorkQueue
from execloop.testing import FakeClock

_keys = st.sampled_from("abcd")
_seconds = st.integers(0, 5).map(float)
_priorities = st.integers(0, 2)


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.queue = WorkQueue[str](self.clock.monotonic)
        self.wanted: dict[str, tuple[float, int]] = {}
        self.in_work: set[str] = set()
        self.pops = 0

    @rule(key=_keys, after=_seconds, priority=_priorities)
    def add(self, key: str, after: float, priority: int) -> None:
        self.queue.add(key, after, priority)
        self._want(key, after, priority)

    @rule(key=_keys)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.wanted.pop(key, None)

    @rule(seconds=_seconds)
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def pop(self) -> None:
        key = self.queue.pop()
        due = self._due()
        if key is None:
            assert not due, "a key is due"
            return
        assert key not in self.in_work
        self.pops += 1
        rank = self._due_at if self.pops % 8 == 0 else self._rank
        assert rank(key) == min(map(rank, due))
        del self.wanted[key]
        self.in_work.add(key)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data(), after=st.none() | _seconds, priority=_priorities)
    def done(self, data: st.DataObject, after: float | None, priority: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.in_work)))
        self.queue.done(key, after, priority)
        self.in_work.remove(key)
        if after is not None:
            self._want(key, after, priority)

    @invariant()
    def as_many_keys_as_were_added(self) -> None:
        assert len(self.queue) == len(self.wanted)

    @invariant()
    def it_would_wake_in_time(self) -> None:
        free = [due for key, (due, _) in self.wanted.items() if key not in self.in_work]
        if free:
            left = self.queue.next_due()
            assert left is not None
            assert left <= max(0.0, min(free) - self.clock.now())

    @invariant()
    def it_knows_the_longest_overdue(self) -> None:
        due = [due for key, (due, _) in self.wanted.items() if key not in self.in_work]
        assert self.queue.overdue() == max((self.clock.now() - d for d in due if d <= self.clock.now()), default=0)

    @invariant()
    def it_knows_how_many_are_due(self) -> None:
        assert self.queue.depth() == len(self._due())

    def _want(self, key: str, after: float, priority: int) -> None:
        due, best = self.wanted.get(key, (float("inf"), 9))
        self.wanted[key] = min(due, self.clock.now() + after), min(best, priority)

    def _due(self) -> list[str]:
        return [key for key, (due, _) in self.wanted.items() if due <= self.clock.now() and key not in self.in_work]

    def _due_at(self, key: str) -> tuple[int, float]:
        return 0, self.wanted[key][0]

    def _rank(self, key: str) -> tuple[int, float]:
        due, priority = self.wanted[key]
        return priority, due


TestModel = Model.TestCase


@given(st.lists(st.sampled_from(Priority), min_size=1, max_size=30), st.integers(0, 29))
def test_nothing_starves_however_many_better_keys_come(priorities: list[Priority], which: int) -> None:
    clock = FakeClock()
    queue = WorkQueue[int](clock.monotonic)
    for number, priority in enumerate(priorities):
        queue.add(number, priority=priority)
        clock.advance(1)
    waiting = which % len(priorities)
    for newer in range(8 * len(priorities)):
        queue.add(1000 + newer, priority=Priority.EDIT)
        clock.advance(1)
        key = queue.pop()
        assert key is not None
        queue.done(key)
        if key == waiting:
            return
    raise AssertionError("it still waits")


@given(st.integers(1, 200))
def test_an_edit_waits_for_one_other_key_at_most(checks: int) -> None:
    queue = WorkQueue[int](FakeClock().monotonic)
    for number in range(checks):
        queue.add(number, priority=Priority.CHECK)
    for _ in range(checks // 2):
        queue.pop()
    queue.add(-1, priority=Priority.EDIT)
    assert -1 in {queue.pop(), queue.pop()}
