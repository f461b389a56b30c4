"""What becomes of an event of the watch, of a key in work, and of all that is under way at the end."""

import asyncio
import copy
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.controller.manager import controller as operator_module
from execloop.controller.manager.controller import Operator
from execloop.controller.manager.leadership import Leadership, NoElection
from execloop.controller.manager.metrics import Metrics
from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspects import Suspects
from execloop.controller.plancode.crashes.suspicion import Suspicion
from execloop.controller.watch.cache import Key
from execloop.controller.watch.drift import DriftWatches
from execloop.controller.watch.references import Reference, References
from execloop.controller.watch.workqueue import Priority, WorkQueue
from execloop.kube import ApiError, LeaseLost
from tests.controlling import NAMESPACE, PLANS, Controller

KEY = Key(NAMESPACE, "a")


class Operating:
    """The operator on a cluster in memory, without Kopf."""

    def __init__(self, control: Controller) -> None:
        self.control = control
        self.queue = WorkQueue[Key](control.clock.monotonic)
        self.leadership: Leadership = NoElection()
        self.places, self.spare = 10, 5
        self.suspects = Suspects(Journal(Path("unused")), control.clock.monotonic)
        self.unlisted: set[str | None] = {None}
        self.woken: list[Key] = []
        """Plans that refer to what has changed."""
        self.metrics = Metrics(CollectorRegistry())

    def run(self, main: Callable[[Operator], Coroutine[Any, Any, None]]) -> None:
        async def operate() -> None:
            drift = DriftWatches(self.control.cluster.kube, (), lambda _: None)
            operator = Operator(
                leadership=self.leadership,
                metrics=self.metrics,
                connection=self.control.cluster.connection,
                cache=self.control.cache,
                queue=self.queue,
                code=self.control.code,
                suspects=self.suspects,
                reconciler=self.control.reconciler,
                drift=drift,
                references=References(self.control.cluster.kube, (), lambda key, _metadata: self.woken.append(key)),
                places=asyncio.Semaphore(self.places),
                spare=asyncio.Semaphore(self.spare),
                unlisted=self.unlisted,
            )
            await main(operator)

        self.control.run(operate())

    def see(self, kind: str | None = "MODIFIED", body: dict[str, Any] | None = None) -> None:
        """An event; of the Plan as it is in the cluster unless an object is given."""
        seen = copy.deepcopy(body or self.control.cluster.objects[f"{PLANS}/a"])

        async def main(operator: Operator) -> None:
            operator.seen(kind, seen)

        self.run(main)

    def hear_of_all(self, *names: str, namespace: str | None = NAMESPACE) -> None:
        """The end of a list, which found these."""

        async def main(operator: Operator) -> None:
            operator.listed(namespace, {Key(NAMESPACE, name) for name in names})

        self.run(main)

    def unready(self) -> str:
        said = []

        async def main(operator: Operator) -> None:
            said.append(operator.unready())

        self.run(main)
        return said[0]

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
        assert operating.due() is None

    def test_a_status_of_another_hand_is_looked_at_with_backoff(
        self, control: Controller, operating: Operating
    ) -> None:
        control.apply()
        control.settle()
        waits = []
        for number in range(4):
            control.spoil(progress=f"{number}/9")
            operating.see()
            waits.append(operating.due())
            operating.queue.forget(KEY)
        assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6])

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


class TestListed:
    def test_what_a_list_does_not_find_went_while_the_watch_had_a_gap(
        self, control: Controller, operating: Operating
    ) -> None:
        for name in "ab":
            control.apply(name=name)
            operating.see(None, control.cluster.objects[f"{PLANS}/{name}"])
        operating.hear_of_all("b")
        assert list(control.cache) == [Key(NAMESPACE, "b")]
        assert [operating.queue.pop(), operating.queue.pop()] == [Key(NAMESPACE, "b"), None]

    def test_a_plan_that_depends_on_one_that_went_is_woken(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see(None)
        other = Key(NAMESPACE, "b")

        async def main(operator: Operator) -> None:
            operator.references.refer(other, [Reference(API_VERSION, KIND, *KEY)])
            operator.listed(NAMESPACE, {other})

        operating.run(main)
        assert operating.woken == [other]

    @pytest.mark.parametrize(("namespace", "left"), [("another", [KEY]), (None, [])])
    def test_a_list_speaks_of_its_own_namespace(
        self, control: Controller, operating: Operating, namespace: str | None, left: list[Key]
    ) -> None:
        control.apply()
        operating.see("ADDED")
        operating.hear_of_all(namespace=namespace)
        assert list(control.cache) == left

    def test_the_operator_is_ready_once_every_namespace_was_listed(self, operating: Operating) -> None:
        operating.unlisted = {"red", "blue"}
        for namespace, unready in [("red", True), ("blue", False), ("red", False)]:
            operating.hear_of_all(namespace=namespace)
            assert operating.unready() == ("Plans are not listed yet" if unready else "")


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

    def test_a_404_that_the_watch_does_not_confirm_forgets_no_plan(
        self, control: Controller, operating: Operating
    ) -> None:
        control.apply()
        operating.see("ADDED")
        control.cluster.fail_next(404, "NotFound")
        operating.work()
        control.clock.advance(operating.due() or 0)
        operating.work()
        assert control.conditions() == {"Ready": ("True", "Converged")}

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


class Deposed(NoElection):
    """Another process may have taken over."""

    held = False

    def require(self) -> None:
        raise LeaseLost("not held")


class TestLeaseLost:
    def test_nothing_is_begun(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see("ADDED")
        operating.leadership = Deposed()
        operating.work()
        assert (control.contexts, control.written) == ([], [])

    def test_it_is_no_trouble_that_anybody_needs_to_hear_of(
        self, control: Controller, operating: Operating, caplog: pytest.LogCaptureFixture
    ) -> None:
        control.apply()
        operating.see("ADDED")
        operating.leadership = Deposed()
        operating.work()
        assert [record for record in caplog.records if record.levelno > logging.INFO] == []


class Sharing(NoElection):
    """Owns the Plans of some uids."""

    def __init__(self, *others: str) -> None:
        self.others = set(others)

    def owns(self, uid: str) -> bool:
        return uid not in self.others


class TestOwned:
    """Of the Plans that all replicas watch, one works on its own."""

    @pytest.fixture
    def uid(self, control: Controller) -> str:
        control.apply(interval="0s")
        return str(control.cluster.objects[f"{PLANS}/a"]["metadata"]["uid"])

    def leave(self, operating: Operating, uid: str) -> bool:
        left = []

        async def main(operator: Operator) -> None:
            left.append(await operator.leave(lambda one: one == uid))

        operating.run(main)
        return left[0]

    def test_a_plan_of_another_replica_is_not_looked_at(
        self, control: Controller, operating: Operating, uid: str
    ) -> None:
        operating.leadership = Sharing(uid)
        operating.see(None)
        assert (operating.due(), len(control.cache)) == (None, 0)

    def test_of_a_plan_of_another_replica_the_metadata_alone_is_read(
        self, control: Controller, operating: Operating, uid: str
    ) -> None:
        operating.leadership = Sharing(uid)
        operating.see("ADDED", {"metadata": {"namespace": NAMESPACE, "name": "a", "uid": uid}})
        assert (operating.due(), len(control.cache)) == (None, 0)

    def test_a_name_that_went_to_another_replica_s_plan_is_forgotten(
        self, control: Controller, operating: Operating
    ) -> None:
        control.apply()
        operating.see()
        made_anew = copy.deepcopy(control.cluster.objects[f"{PLANS}/a"])
        made_anew["metadata"]["uid"] = "new"
        operating.leadership = Sharing("new")
        operating.see("ADDED", made_anew)
        assert (operating.due(), len(control.cache)) == (None, 0)

    def test_a_plan_that_is_being_given_up_is_not_begun(
        self, control: Controller, operating: Operating, uid: str
    ) -> None:
        operating.see()
        operating.leadership = Sharing(uid)
        operating.work()
        assert control.cluster.writes == []

    def test_what_is_given_up_is_saved_and_forgotten(self, control: Controller, operating: Operating, uid: str) -> None:
        operating.see()
        state = control.cache.get(KEY)
        assert state is not None
        state.decide(state.snapshot.status.model_copy(update={"progress": "1/2"}))
        operating.leadership = Sharing(uid)
        assert self.leave(operating, uid)
        assert control.status()["progress"] == "1/2"
        assert (operating.due(), len(control.cache)) == (None, 0)

    def test_what_the_api_server_does_not_take_is_kept(
        self, control: Controller, operating: Operating, uid: str
    ) -> None:
        operating.see()
        state = control.cache.get(KEY)
        assert state is not None
        state.decide(state.snapshot.status.model_copy(update={"progress": "1/2"}))
        control.cluster.fail_next(500)
        assert not self.leave(operating, uid)
        assert len(control.cache) == 1

    def test_code_that_was_left_behind_keeps_its_plan(
        self, control: Controller, operating: Operating, uid: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(operator_module, "_LEAVE", 0.02)
        operating.see()
        control.code.barred.add(KEY)
        assert not self.leave(operating, uid)
        control.code.barred.discard(KEY)
        assert len(control.cache) == 1

    def test_what_is_taken_back_is_due_at_once(self, control: Controller, operating: Operating, uid: str) -> None:
        operating.see()
        operating.work()
        assert operating.due() is None

        async def main(operator: Operator) -> None:
            operator.take_back(lambda one: one == uid)

        operating.run(main)
        assert operating.due() == 0
        assert control.status()["state"] == "Converged"

    def test_a_list_clears_no_suspect_of_another_replica(
        self, control: Controller, operating: Operating, uid: str
    ) -> None:
        operating.suspects.load(
            {uid: Suspicion(1, 1, "1"), "theirs": Suspicion(1, 1, "1"), "gone": Suspicion(1, 1, "1")}
        )
        operating.leadership = Sharing("theirs")
        operating.see(None)
        operating.hear_of_all("a", namespace=None)
        assert operating.suspects.cleared == {"gone"}


class TestNothingIsForgotten:
    @pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("an error of ours"), GeneratorExit()])
    def test_whatever_leaves_a_reconcile_the_plan_is_due_again(
        self, control: Controller, operating: Operating, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        async def reconcile(_key: Key) -> None:
            raise error

        control.apply()
        operating.see("ADDED")
        monkeypatch.setattr(control.reconciler, "reconcile", reconcile)
        operating.work()
        assert operating.due() is not None

    @pytest.mark.parametrize("finalizers", [[], ["execloop.dev/teardown"]])
    def test_a_deletion_of_the_uid_before_leaves_the_plan_of_now_alone(
        self, control: Controller, operating: Operating, finalizers: list[str]
    ) -> None:
        control.apply()
        before = copy.deepcopy(control.cluster.objects[f"{PLANS}/a"])
        before["metadata"]["finalizers"] = finalizers
        operating.see("ADDED")
        control.delete()
        control.apply()
        operating.see("ADDED")
        operating.see("DELETED", before)
        assert (len(control.cache), operating.due()) == (1, 0)

    def test_a_plan_that_went_with_its_finalizer_in_place_is_said_to_have_had_no_teardown(
        self, control: Controller, operating: Operating, caplog: pytest.LogCaptureFixture
    ) -> None:
        control.apply(deletionPolicy="Teardown")
        operating.see("ADDED")
        gone = copy.deepcopy(control.cluster.objects[f"{PLANS}/a"])
        gone["metadata"]["finalizers"] = ["execloop.dev/teardown"]
        operating.see("DELETED", gone)
        assert "its teardown did not run" in caplog.text


class TestMetrics:
    def count(self, operating: Operating, name: str, **labels: str) -> float | None:
        return operating.metrics.registry.get_sample_value(f"execloop_{name}", labels)

    def test_each_reconcile_is_counted_by_its_result(self, control: Controller, operating: Operating) -> None:
        control.apply()
        operating.see("ADDED")
        control.cluster.fail_next()
        operating.work()
        control.clock.advance(operating.due() or 0)
        operating.work()
        results = {
            result: self.count(operating, "reconciles_total", result=result)
            for result in ("done", "requeued", "api_error", "error")
        }
        assert results == {"done": 0, "requeued": 1, "api_error": 1, "error": 0}
        assert self.count(operating, "reconcile_duration_seconds_count") == 2


class TestStuck:
    def stuck(self, operating: Operating) -> str:
        said = []

        async def main(operator: Operator) -> None:
            said.append(operator.stuck())

        operating.run(main)
        return said[0]

    def test_a_queue_whose_keys_are_not_taken_is(self, control: Controller, operating: Operating) -> None:
        operating.queue.add(KEY)
        control.clock.advance(61)
        assert self.stuck(operating) == "the queue has not moved for 61 s"

    def test_one_that_moves_is_not(self, control: Controller, operating: Operating) -> None:
        operating.queue.add(KEY)
        control.clock.advance(59)
        assert self.stuck(operating) == ""

    def test_one_that_waits_for_a_place_is_not(self, control: Controller, operating: Operating) -> None:
        operating.queue.add(KEY)
        control.clock.advance(61)
        operating.places = 0
        assert self.stuck(operating) == ""


class TestPlaces:
    def test_plan_code_that_takes_long_gives_its_place_to_others(self, operating: Operating) -> None:
        operating.places = 1

        async def main(operator: Operator) -> None:
            await operator.places.acquire()
            operator.in_place[KEY] = operator.places
            for _ in range(2):  # each call of it says so
                operator.give_place_up(KEY)
            await operator.places.acquire()
            assert operator.places.locked()

        operating.run(main)

    @pytest.mark.parametrize(
        ("priority", "begun"), [(Priority.EDIT, True), (Priority.WORK, False), (Priority.CHECK, False)]
    )
    def test_only_an_edit_begins_when_the_places_for_all_are_taken(
        self, operating: Operating, priority: Priority, begun: bool
    ) -> None:
        operating.places = 0
        operating.queue.add(KEY, priority=priority)

        async def main(operator: Operator) -> None:
            dispatching = asyncio.create_task(operator.dispatch())
            for _ in range(10):
                await asyncio.sleep(0)
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching

        operating.run(main)
        assert (operating.queue.pop() is None) is begun

    def test_at_most_two_reconciles_begin_between_two_turns_of_the_loop(self, operating: Operating) -> None:
        for name in "abcdefghijklmnopqrst":
            operating.queue.add(Key(NAMESPACE, name), priority=Priority.CHECK)
        waiting = [len(operating.queue)]

        async def main(operator: Operator) -> None:
            dispatching = asyncio.create_task(operator.dispatch())
            while waiting[-1]:
                await asyncio.sleep(0)
                waiting.append(len(operating.queue))
            await operating.queue.idle()
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching

        operating.run(main)
        assert max(before - after for before, after in pairwise(waiting)) == 2


class TestDrain:
    def drain(self, operating: Operating) -> None:
        async def main(operator: Operator) -> None:
            assert await operator.drain()

        operating.run(main)

    def test_plan_code_that_does_not_return_is_left_behind_and_told(
        self, operating: Operating, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """So that the Lease is not released while it may still do something."""
        monkeypatch.setattr(operator_module, "_GRACE", 0.0)

        async def main(operator: Operator) -> None:
            task = asyncio.create_task(asyncio.Event().wait())
            operator.working.add(task)  # type: ignore[arg-type]  # a stand-in
            operating.queue.add(KEY)
            operating.queue.pop()
            assert not await operator.drain()
            task.cancel()

        operating.run(main)
        assert "the process exits without waiting for it" in caplog.text

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

    def test_plans_that_become_due_meanwhile_are_no_work_that_is_left(
        self, control: Controller, operating: Operating
    ) -> None:
        control.apply()
        operating.see()
        left = []

        async def main(operator: Operator) -> None:
            dispatching, draining = (asyncio.create_task(one) for one in (operator.dispatch(), operator.drain()))
            while not draining.done():
                operator.queue.add(KEY, priority=Priority.EDIT)
                await asyncio.sleep(0)
            left.append(draining.result())
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching

        operating.run(main)
        assert left == [True]

    def test_nothing_more_begins(self, control: Controller, operating: Operating) -> None:
        control.apply()
        self.drain(operating)
        assert control.reconcile() is None
        assert control.contexts == []


class TestSuspects:
    @pytest.fixture
    def suspected(self, control: Controller, operating: Operating) -> str:
        """The uid of a Plan that may have ended the last process, once it is known."""
        control.apply()
        operating.see("ADDED")
        uid: str = control.cluster.objects[f"{PLANS}/a"]["metadata"]["uid"]
        operating.suspects.load({uid: Suspicion(1, 1, "1")})
        return uid

    def test_a_suspect_waits_for_its_turn_and_not_in_the_queue(
        self, control: Controller, operating: Operating, suspected: str
    ) -> None:
        operating.work()
        assert "conditions" not in control.status()
        assert operating.due() is None
        assert operating.suspects.next(busy=False) == KEY
        operating.queue.add(KEY)
        operating.work()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert suspected

    def test_its_turn_ends_with_its_reconcile(self, operating: Operating, suspected: str) -> None:
        operating.work()
        operating.suspects.next(busy=False)
        operating.queue.add(KEY)
        operating.work()
        assert not operating.suspects.may_begin("another", suspected)

    def test_one_that_is_deleted_is_no_suspect_any_more(
        self, control: Controller, operating: Operating, suspected: str
    ) -> None:
        gone = control.cluster.objects[f"{PLANS}/a"]
        operating.see("DELETED", gone)
        assert suspected not in operating.suspects

    def test_a_list_that_does_not_find_it_clears_it(self, operating: Operating, suspected: str) -> None:
        operating.suspects.load({"deleted-while-nobody-looked": Suspicion(3, 3, "1")})
        operating.hear_of_all("a", namespace=None)
        assert not operating.suspects
        assert suspected

    def test_suspects_wait_until_the_others_are_known_and_done(self, control: Controller, operating: Operating) -> None:
        busy = []

        async def main(operator: Operator) -> None:
            busy.append(operator.busy())
            operator.listed(None, set())
            busy.append(operator.busy())
            operator.queue.add(KEY)
            busy.append(operator.busy())

        control.apply()
        operating.run(main)
        assert busy == [True, False, True]
