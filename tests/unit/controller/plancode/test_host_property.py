"""Whatever plan code does, and whatever becomes of its loop: no two calls of a key run at once, none stays barred."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from execloop.controller.plancode.call import CALL
from execloop.controller.plancode.call import Call as HostedCall
from execloop.controller.plancode.host import PlanHost
from tests.plan_code import LONG, plan_code, until


class World:
    """Knows which call's code is at work, and finds fault."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._lock = threading.Lock()
        self._pieces: Counter[tuple[str, int]] = Counter()
        """What has begun and not ended, suspended code too, by key and number of the call."""
        self._steps: Counter[tuple[str, int]] = Counter()
        """What takes a step at this moment."""
        self._hosted: dict[tuple[str, int], HostedCall | None] = {}
        self._blocked: list[threading.Event] = []

    @contextmanager
    def piece(self, call: tuple[str, int]) -> Iterator[None]:
        with self._lock:
            self._pieces[call] += 1
            self._hosted[call] = CALL.get()
        try:
            self.step(call)
            yield
        finally:
            self.step(call)
            with self._lock:
                self._pieces[call] -= 1

    def step(self, call: tuple[str, int], deed: Callable[[], object] = int) -> None:
        with self._lock:
            self._steps[call] += 1
            for other in self._pieces:
                if other[0] != call[0] or other == call:
                    continue
                if self._steps[other] or (self._pieces[other] and other > call and not self._frozen(other)):
                    self.faults.append(f"{call} takes a step beside {other}")
        try:
            deed()
        finally:
            with self._lock:
                self._steps[call] -= 1

    def _frozen(self, call: tuple[str, int]) -> bool:
        hosted = self._hosted[call]
        return hosted is not None and hosted.frozen

    def block(self) -> None:
        event = threading.Event()
        with self._lock:
            self._blocked.append(event)
        event.wait()

    def release(self) -> None:
        with self._lock:
            blocked, self._blocked = self._blocked, []
        for event in blocked:
            event.set()


Call = tuple[str, int]
Deed = Callable[[World, Call], Coroutine[Any, Any, None]]


def returns(world: World, call: Call) -> None:
    with world.piece(call):
        pass


def fails(world: World, call: Call) -> None:
    with world.piece(call):
        raise SystemExit(3)


def blocks(world: World, call: Call) -> None:
    with world.piece(call):
        world.step(call, world.block)


async def returns_async(world: World, call: Call) -> None:
    with world.piece(call):
        await asyncio.sleep(0)


async def blocks_its_loop(world: World, call: Call) -> None:
    with world.piece(call):
        await asyncio.create_task(asyncio.sleep(0))
        world.step(call, world.block)


async def waits(world: World, call: Call) -> None:
    with world.piece(call):
        try:
            await asyncio.Event().wait()
        finally:
            world.step(call)
            await asyncio.sleep(0)


async def turns(world: World, call: Call) -> None:
    with world.piece(call):
        while True:
            await asyncio.sleep(0)
            world.step(call)


async def eats_cancellations(world: World, call: Call) -> None:
    with world.piece(call):
        for _ in range(2):
            with suppress(BaseException):
                await asyncio.Event().wait()
            world.step(call)


async def leaves_a_task(world: World, call: Call) -> None:
    asyncio.get_running_loop().stray = asyncio.create_task(waits(world, call))  # type: ignore[attr-defined]
    await asyncio.sleep(0)


async def leaves_a_thread(world: World, call: Call) -> None:
    with world.piece(call):
        await asyncio.gather(asyncio.to_thread(blocks, world, call), cancels_its_own())


async def cancels_its_own() -> None:
    child = asyncio.create_task(asyncio.sleep(LONG))
    await asyncio.sleep(0)
    child.cancel()
    await child


async def shields(world: World, call: Call) -> None:
    with world.piece(call):
        await asyncio.shield(asyncio.create_task(waits(world, call)))


SYNC = (returns, fails, blocks)
ASYNC: tuple[Deed, ...] = (
    returns_async,
    blocks_its_loop,
    waits,
    turns,
    eats_cancellations,
    leaves_a_task,
    leaves_a_thread,
    shields,
)
ACTIONS = st.one_of(
    st.tuples(st.sampled_from("ab"), st.sampled_from((*SYNC, *ASYNC))),
    st.sampled_from(["cancel", "release", "give up", "pass"]),
)


LIVES = st.one_of(
    st.lists(ACTIONS, max_size=12),
    st.builds(  # a loop that is given up, and turns again while its calls have begun anew
        lambda first, second, third: [*first, "freeze", *second, "release", *third],
        st.lists(ACTIONS, max_size=4),
        st.lists(ACTIONS, max_size=4),
        st.lists(ACTIONS, max_size=4),
    ),
)


async def live(actions: list[Any], code: PlanHost, world: World) -> None:
    calls: list[asyncio.Task[None]] = []

    async def begin(key: str, deed: Any) -> None:
        work: Any = partial(deed, world, (key, len(calls)))
        calls.append(asyncio.create_task(code.on_loop(key, work) if deed in ASYNC else code.call(key, work)))
        await asyncio.sleep(0.001)

    async def give_up() -> None:
        code._long_call = 0.0
        await asyncio.sleep(0.003)
        code._long_call = LONG

    for action in actions:
        match action:
            case "cancel":
                for call in calls:
                    call.cancel()
            case "release":
                world.release()
            case "give up":
                await give_up()
            case "freeze":
                await begin("c", blocks_its_loop)
                await give_up()
            case "pass":
                await asyncio.sleep(0.002)
            case key, deed:
                await begin(key, deed)
    await asyncio.sleep(0.002)
    for call in calls:
        call.cancel()

    def over() -> bool:
        world.release()
        return all(call.done() for call in calls) and not code._calls and not code._to_end

    await until(over)
    await asyncio.gather(*calls, return_exceptions=True)


@settings(max_examples=100, deadline=None)
@given(LIVES)
def test_no_two_calls_of_a_key_run_at_once_and_no_key_stays_barred(actions: list[Any]) -> None:
    world = World()

    async def main() -> None:
        async with plan_code(workers=3, threads=4, patience=0.002, gaps=(0.002,) * 100) as (code, _):
            await live(actions, code, world)
            assert code.barred == set()

    asyncio.run(main())
    assert world.faults == []
