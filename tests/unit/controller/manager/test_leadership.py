"""What may begin while this process leads."""

import asyncio

from execloop import Execution, Options, Task
from execloop._engine.execution import Interrupted
from execloop._engine.run import step
from execloop.controller.manager.leadership import NoElection, WhileHeld
from execloop.testing import FakeClock
from tests.asynchronous import in_event_loop


class Step(Task):
    def __init__(self, name: str, clock: FakeClock) -> None:
        self.name, self.clock = name, clock

    def perform(self) -> None:
        self.clock.advance(4)


class Steps:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def create(self) -> list[Task]:
        return [Step(name, self.clock) for name in "abcd"]


def test_no_task_starts_once_the_lease_is_over() -> None:
    """Nobody has to notice: the time itself is looked at before each."""
    clock = FakeClock()
    outcome = step(Steps(clock), Execution(), Options(), clock=clock, stop=WhileHeld(lambda: clock.monotonic() < 10))
    assert isinstance(outcome, Interrupted)
    assert clock.monotonic() == 12


def test_a_run_can_still_be_asked_to_stop() -> None:
    stop = WhileHeld(lambda: True)
    assert not stop.requested
    stop.request()
    assert stop.requested


def test_a_run_can_still_be_abandoned() -> None:
    stop = WhileHeld(lambda: True)
    stop.expire()
    assert (stop.requested, stop.expired) == (True, True)


class TestAlone:
    @in_event_loop
    async def test_it_leads_at_once_and_for_ever(self) -> None:
        alone = NoElection()
        await alone.acquire()
        alone.require()
        keeping = asyncio.create_task(alone.keep())
        await asyncio.sleep(0)
        assert (alone.held, alone.problem, keeping.done()) == (True, "", False)
        await alone.release()
        keeping.cancel()
