"""Tasks that ask for an approval of their own, in a Plan whose other tasks need none."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from execloop import Task, Wait, task
from tests.controlling import Controller

DOWN = OSError("the database is down")


class Tables:
    """Asks for what is wanted until it is done. A name that begins with `drop` needs an approval; a task fails as often
    as `fails` says, and its children are those in `then`.
    """

    name = "tables"

    def __init__(
        self,
        *names: str,
        details: dict[str, Any] | None = None,
        then: dict[str, list[str]] | None = None,
        fails: dict[str, int] | None = None,
        waits: Iterable[Wait] = (),
        asynchronous: bool = False,
    ) -> None:
        self.names, self.details, self.then, self.fails = names, details or {}, then or {}, fails or {}
        self.waits, self.asynchronous = tuple(waits), asynchronous
        self.performed: list[str] = []

    def create(self) -> list[Any]:
        return [*map(self._task, filter(self._is_left, self.names)), *self.waits]

    def _is_left(self, name: str) -> bool:
        return any(one not in self.performed for one in (name, *self.then.get(name, ())))

    def _task(self, name: str) -> Task:
        perform: Callable[..., Any] = partial(self._await, name) if self.asynchronous else partial(self._perform, name)
        made = task(name, perform)
        for member, value in (("detail", self.details.get(name, "")), ("approval", name.startswith("drop"))):
            setattr(made, member, value)
        return made

    async def _await(self, name: str) -> list[Task]:
        return self._perform(name)

    def _perform(self, name: str) -> list[Task]:
        if self.fails.get(name):
            self.fails[name] -= 1
            raise DOWN
        self.performed.append(name)
        return [self._task(one) for one in self.then.get(name, ()) if one not in self.performed]


@pytest.fixture
def tables(control: Controller) -> Callable[..., Tables]:
    """Apply a Plan that asks for these, and reconcile until it waits for a person, or is done."""

    def apply(*names: str, spec: dict[str, Any] | None = None, **behaviour: Any) -> Tables:
        plan = Tables(*names, **behaviour)
        control.plan(plan)
        control.apply(**(spec or {}))
        rest(control)
        return plan

    return apply


def rest(control: Controller) -> None:
    """Reconcile for so long as it is due within seconds."""
    for _ in range(20):
        seconds = control.reconcile()
        if seconds is None or seconds > 20:
            return
        control.clock.advance(seconds)
    raise AssertionError("it does not come to rest")


def some_time(control: Controller) -> None:
    for _ in range(4):
        control.clock.advance(control.reconcile() or 0)


def pending(control: Controller) -> list[str]:
    return list(control.status().get("pending", {}).get("tasks", ()))


def approve(control: Controller) -> None:
    control.annotate(approve=control.status()["pending"]["digest"])


AWAITS = {"Ready": ("Unknown", "ApprovalRequired"), "Reconciling": ("True", "ApprovalRequired")}


class TestAsking:
    @pytest.mark.parametrize("spec", [{}, {"parallelism": 3}, {"plan": "scripted-async"}], ids=str)
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_the_other_tasks_run_meanwhile(
        self, control: Controller, tables: Callable[..., Tables], spec: dict[str, Any], asynchronous: bool
    ) -> None:
        plan = tables("drop old", "create", "fill", spec=spec, asynchronous=asynchronous)
        assert (sorted(plan.performed), pending(control)) == (["create", "fill"], ["drop old"])
        assert control.conditions() == AWAITS

    def test_one_that_stands_alone_runs_nothing_and_takes_one_write(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        plan = tables("drop old")
        assert (plan.performed, len(control.written), pending(control)) == ([], 1, ["drop old"])

    def test_a_child_asks_too_and_its_parent_runs(self, control: Controller, tables: Callable[..., Tables]) -> None:
        plan = tables("copy", then={"copy": ["drop old"]})
        assert (plan.performed, pending(control)) == (["copy"], ["drop old"])
        assert control.conditions() == AWAITS

    def test_an_event_asks_once_with_the_command(self, control: Controller, tables: Callable[..., Tables]) -> None:
        tables("drop old", "create")
        for _ in range(3):
            control.clock.advance(600)
            control.reconcile()
        asked = [write.object["note"] for write in control.cluster.writes if write.path.endswith("/events")]
        assert asked == ["1 task waits for an approval: drop old; approve with `execloop approve a`"]

    def test_nothing_is_written_while_it_waits(self, control: Controller, tables: Callable[..., Tables]) -> None:
        tables("drop old", "create")
        written = len(control.written)
        for _ in range(3):
            control.clock.advance(600)
            assert control.reconcile() == 600
        assert len(control.written) == written

    def test_the_wait_does_not_count_against_the_deadline(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        plan = tables("drop old", "create", spec={"executionTimeout": "1m"})
        control.clock.advance(86_400)
        approve(control)
        rest(control)
        assert (plan.performed, control.conditions()["Ready"]) == (["create", "drop old"], ("True", "Converged"))

    def test_a_task_that_fails_beside_it_is_tried_again_and_both_are_said(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        control.plan(plan := Tables("create", "drop old", fails={"create": 1}))
        control.apply()
        control.reconcile()
        said = control.status()["conditions"][0]
        assert (said["reason"], pending(control)) == ("TasksFailed", ["drop old"])
        assert "the database is down" in said["message"]
        assert "1 task waits for an approval: drop old" in said["message"]
        control.clock.advance(1)
        rest(control)
        assert (plan.performed, control.conditions()) == (["create"], AWAITS)

    def test_what_waits_beside_it_is_looked_at_within_30_seconds(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        control.plan(Tables("drop old", waits=[Wait("the table is gone")]))
        control.apply(executionTimeout="1m")
        for _ in range(10):
            control.clock.advance(control.reconcile() or 0)
        assert (control.reconcile(), control.conditions()) == (30, AWAITS)

    def test_drift_that_needs_an_approval_runs_nothing(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        tables("create")
        control.plan(plan := Tables("drop stray"))
        control.clock.advance(600)
        control.reconcile()
        assert (plan.performed, pending(control), control.conditions()) == ([], ["drop stray"], AWAITS)

    def test_a_preview_shows_it_and_needs_none(self, control: Controller, tables: Callable[..., Tables]) -> None:
        tables("drop old", spec={"mode": "Preview"})
        assert (control.conditions()["Ready"], pending(control)) == (("True", "Previewed"), ["drop old"])

    def test_a_detail_that_cannot_be_read_is_an_error_of_its_task(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        control.plan(plan := Tables("drop old", "create", details={"drop old": 3}))
        control.apply()
        control.reconcile()
        assert (plan.performed, control.execution()["errors"]) == (["create"], 1)
        assert "the detail of the task 'drop old' must be text" in control.status()["conditions"][0]["message"]


class TestApproved:
    def test_it_runs_and_the_approval_is_stored_before(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        plan = tables("drop old", "create")
        digest = control.status()["pending"]["digest"]
        control.annotate(**{"approve": digest, "approved-by": "ann"})
        stored: list[Any] = []
        control.plan(Seen(plan, lambda: stored.append(control.execution().get("approval"))))
        rest(control)
        assert plan.performed == ["create", "drop old"]
        assert [one and one["digest"] for one in stored] == [digest]
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert "pending" not in control.status()
        assert control.execution()["approval"]["by"] == "ann"

    def test_a_child_runs_after_its_parent_once_more(self, control: Controller, tables: Callable[..., Tables]) -> None:
        plan = tables("copy", then={"copy": ["drop old"]})
        approve(control)
        rest(control)
        assert (plan.performed[-1], control.conditions()["Ready"]) == ("drop old", ("True", "Converged"))

    def test_its_children_are_included(self, control: Controller, tables: Callable[..., Tables]) -> None:
        plan = tables("drop schema", then={"drop schema": ["drop view"]})
        assert pending(control) == ["drop schema"]
        approve(control)
        rest(control)
        assert plan.performed == ["drop schema", "drop view"]

    def test_it_may_fail_and_is_not_asked_for_again(self, control: Controller, tables: Callable[..., Tables]) -> None:
        plan = tables("drop old", fails={"drop old": 2})
        approve(control)
        rest(control)
        assert (plan.performed, control.execution()["errors"]) == (["drop old"], 2)

    def test_a_new_approval_keeps_what_the_one_before_covers(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        plan = tables("drop old", fails={"drop old": 2})
        approve(control)
        control.reconcile()
        plan.names = ("drop old", "drop other")
        control.clock.advance(5)
        rest(control)
        assert (plan.performed, pending(control)) == (["drop old"], ["drop other"])
        plan.performed.clear()
        approve(control)
        rest(control)
        assert (plan.performed[-1], control.conditions()["Ready"]) == ("drop other", ("True", "Converged"))

    @pytest.mark.parametrize("spec", [{}, {"approval": "Manual"}], ids=str)
    def test_another_detail_under_the_same_name_needs_a_new_one(
        self, control: Controller, tables: Callable[..., Tables], spec: dict[str, Any]
    ) -> None:
        plan = tables("drop old", details={"drop old": "DROP TABLE old"}, spec=spec)
        before = control.status()["pending"]
        assert before["details"] == [{"name": "drop old", "detail": "DROP TABLE old"}]
        approve(control)
        plan.details["drop old"] = "DROP DATABASE"
        control.reconcile()
        assert (plan.performed, control.conditions()) == ([], AWAITS)
        assert control.status()["pending"]["digest"] != before["digest"]

    def test_an_edit_of_the_inputs_voids_it(self, control: Controller, tables: Callable[..., Tables]) -> None:
        plan = tables("drop old")
        approve(control)
        control.edit(parameters={"size": 2})
        rest(control)
        assert (plan.performed, control.conditions()) == ([], AWAITS)

    def test_a_digest_that_is_not_pending_approves_nothing(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        plan = tables("drop old", "create")
        control.annotate(approve="0" * 32)
        rest(control)
        assert (plan.performed, control.events.count(("Warning", "ApprovalIgnored"))) == (["create"], 1)

    def test_manual_asks_for_all_of_them_together(self, control: Controller, tables: Callable[..., Tables]) -> None:
        plan = tables("create", "drop old", spec={"approval": "Manual"})
        assert (plan.performed, pending(control)) == ([], ["create", "drop old"])
        approve(control)
        rest(control)
        assert plan.performed == ["create", "drop old"]

    def test_a_restart_between_approval_and_run_loses_nothing(
        self, control: Controller, tables: Callable[..., Tables]
    ) -> None:
        plan = tables("drop old", "create")
        approve(control)
        control.start()
        rest(control)
        assert plan.performed == ["create", "drop old"]

    def test_a_secret_in_its_detail_is_not_shown(self, control: Controller, tables: Callable[..., Tables]) -> None:
        control.put("Secret", "source", {"password": "hunter22"})
        spec = {"plan": "scripted", "parametersFrom": [{"kind": "Secret", "name": "source"}]}
        plan = tables("drop old", details={"drop old": "DROP USER hunter22"}, spec=spec)
        assert "hunter22" not in str(control.written)
        approve(control)
        rest(control)
        assert plan.performed == ["drop old"]


class TestTeardown:
    @pytest.fixture
    def undoing(self, control: Controller) -> Tables:
        plan = Tables("drop data", "close")
        control.apply(deletionPolicy="Teardown")
        control.plan(plan, teardown=True)
        control.settle()
        control.delete()
        return plan

    def test_it_asks_there_too(self, control: Controller, undoing: Tables) -> None:
        some_time(control)
        assert (undoing.performed, pending(control)) == (["close"], ["drop data"])
        assert control.conditions()["Ready"] == ("False", "TearingDown")
        approve(control)
        some_time(control)
        assert (undoing.performed, control.names()) == (["close", "drop data"], [])

    def test_a_namespace_that_goes_needs_no_approval(self, control: Controller, undoing: Tables) -> None:
        some_time(control)
        control.cluster.server.terminating.add("team")
        some_time(control)
        assert (undoing.performed, control.names()) == (["close", "drop data"], [])


class Seen:
    """A plan of which something is noted when a task that needed an approval is performed."""

    def __init__(self, plan: Tables, note: Callable[[], object]) -> None:
        self._plan, self._note = plan, note

    def create(self) -> list[Any]:
        tasks = self._plan.create()
        for one in tasks:
            if one.approval:
                perform = one.perform
                one.perform = partial(self._perform, perform)
        return tasks

    def _perform(self, perform: Callable[[], Any]) -> Any:
        self._note()
        return perform()
