"""What becomes of an event of the watch, of a key in work, and of all that is under way at the end."""

import asyncio
import copy
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from execloop.controller.drift import DriftWatches
from execloop.controller.operator import Operator
from execloop.controller.queue import WorkQueue
from execloop.controller.references import References
from execloop.controller.settings import Settings
from execloop.controller.track import Key
from execloop.kube import ApiError
from tests.controlling import NAMESPACE, PLANS, Controller

KEY = Key(NAMESPACE, "a")


class Operating:
    """The operator on a cluster in memory, without Kopf."""

    def __init__(self, control: Controller) -> None:
        self.control = control
        self.queue = WorkQueue[Key](control.clock.monotonic)

    def run(self, main: Callable[[Operator], Coroutine[Any, Any, None]]) -> None:
        async def operate() -> None:
            drift = DriftWatches(self.control.cluster.kube, (), lambda _: None)
            operator = Operator(
                settings=Settings(),
                connection=self.control.cluster.connection,
                cache=self.control.cache,
                queue=self.queue,
                code=self.control.code,
                reconciler=self.control.reconciler,
                drift=drift,
                references=References(self.control.cluster.kube, (), lambda _key, _metadata: None),
            )
            await main(operator)

        self.control.run(operate())

    def see(self, kind: str | None = "MODIFIED", body: dict[str, Any] | None = None) -> None:
        """An event; of the Plan as it is in the cluster unless an object is given."""
        seen = copy.deepcopy(body or self.control.cluster.objects[f"{PLANS}/a"])

        async def main(operator: Operator) -> None:
            operator.seen(kind, seen)

        self.run(main)

    def work(self) -> None:
        """Take the key that is due, and reconcile it."""

        async def main(operator: Operator) -> None:
            dispatching = asyncio.create_task(operator.dispatch())
            while len(self.queue) and self.queue.next_due() == 0:  # noqa: ASYNC110 - threads do the work
                await asyncio.sleep(0)
            await self.queue.idle()
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching

        self.run(main)

    def due(self) -> float | None:
        return self.queue.next_due()


@pytest.fixture
def operating(control: Controller) -> Operating:
    return Operating(control)


class TestSeen:
    def test_a_new_plan_is_due_at_once(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see("ADDED")
        assert operating.due() == 0

    def test_what_comes_again_after_a_gap_lets_new_plans_go_first(
        self, control: Controller, operating: Operating
    ) -> None:
        for name in "ab":
            control.apply(name=name)
        operating.see(None)
        operating.see("ADDED", control.cluster.objects[f"{PLANS}/b"])
        assert [operating.queue.pop(), operating.queue.pop()] == [Key(NAMESPACE, "b"), KEY]

    def test_our_own_write_calls_for_nothing(self, control: Controller, operating: Operating) -> None:
        control.apply()
        control.settle()
        operating.see()
        control.spoil(progress="9/9")
        operating.see()
        assert operating.due() is None

    def test_a_changed_spec_is_due_at_once(self, control: Controller, operating: Operating) -> None:
        control.apply()
        control.settle()
        control.edit(parameters={"size": 2})
        operating.see()
        assert operating.due() == 0

    def test_a_plan_that_went_is_due_no_more(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see("ADDED")
        operating.see("DELETED")
        assert (operating.due(), control.cache.get(KEY)) == (None, None)


class TestWork:
    def test_a_plan_is_due_again_when_its_reconcile_says_so(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see("ADDED")
        operating.work()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert operating.due() == pytest.approx(600)

    def test_trouble_with_the_api_server_is_retried_with_backoff(
        self, control: Controller, operating: Operating, caplog: pytest.LogCaptureFixture
    ) -> None:
        control.apply()
        operating.see("ADDED")
        control.cluster.go_away()
        waits = []
        for _ in range(7):
            operating.work()
            waits.append(operating.due())
            control.clock.advance(waits[-1] or 0)
        assert waits == pytest.approx([1, 2, 4, 8, 16, 30, 30])
        assert "the API server: Unreachable: connection refused; trying again in 1 s" in caplog.text
        assert "Traceback" not in caplog.text

    def test_after_it_was_back_the_backoff_begins_anew(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see("ADDED")
        control.cluster.fail_next(times=2)
        for _ in range(3):
            operating.work()
            control.clock.advance(operating.due() or 0)
        control.annotate(requestedAt="now")
        operating.see()
        control.cluster.fail_next()
        operating.work()
        assert operating.due() == pytest.approx(1)

    def test_the_server_may_ask_for_more_time(self, control: Controller, operating: Operating) -> None:
        def overloaded() -> None:
            raise ApiError(429, "TooManyRequests", "slow down", retry_after=17.0)

        control.apply()
        operating.see("ADDED")
        control.cluster.before_next_request(overloaded)
        operating.work()
        assert operating.due() == pytest.approx(17)

    def test_a_fault_of_the_operator_is_logged_whole_and_harms_no_other_plan(
        self,
        control: Controller,
        operating: Operating,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async def fail(_key: Key) -> float:
            raise ZeroDivisionError

        control.apply()
        operating.see("ADDED")
        with monkeypatch.context() as patch:
            patch.setattr(control.reconciler, "reconcile", fail)
            operating.work()
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.exc_info is not None
        assert vars(record)["plan"] == "team/a"
        assert operating.due() == pytest.approx(1)
        control.clock.advance(1)
        operating.work()
        assert control.conditions() == {"Ready": ("True", "Converged")}


class TestDrain:
    def drain(self, operating: Operating) -> None:
        async def main(operator: Operator) -> None:
            await operator.drain()

        operating.run(main)

    def test_what_only_memory_holds_is_written(self, control: Controller, operating: Operating) -> None:
        control.script(["x"])
        control.apply()
        control.reconcile()
        assert control.written == []
        self.drain(operating)
        assert control.execution()["runs"] == 1

    def test_what_cannot_be_written_is_told(
        self, control: Controller, operating: Operating, caplog: pytest.LogCaptureFixture
    ) -> None:
        control.script(["x"])
        control.apply()
        control.reconcile()
        control.cluster.go_away()
        self.drain(operating)
        assert "not saved: Unreachable" in caplog.text

    def test_nothing_more_begins(self, control: Controller, operating: Operating) -> None:
        control.apply()
        self.drain(operating)
        assert control.reconcile() is None
        assert control.contexts == []
