"""A plan's code at work for the operator: how asking it, or running it, ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from pydantic import BaseModel

from execloop import Context, ExecutionTimeout, FatalError, Options, Task, ToleranceExceeded, plan, task
from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop._engine.plan import Plan
from execloop._engine.walk import Stop
from execloop._plans.definition import Definition, definition_of
from execloop.controller.plancode.construction import DeferredPlan, deferred
from execloop.controller.plancode.errors import LoopGivenUp
from execloop.controller.plancode.host import PlanHost
from execloop.controller.plancode.runner import (
    NextLook,
    Nothing,
    Observed,
    Postponed,
    Prepared,
    Refused,
    TasksLeft,
    drive,
    observe,
)
from execloop.controller.watch.cache import Key
from execloop.testing import ScriptedPlan
from tests.controlling import Controller

KEY = Key("team", "a")
DOWN = OSError("the database is down")
FRESH = Execution("e", time.time())


class Answers:
    """A plan that answers with what a function returns or raises."""

    name = "answers"

    def __init__(self, create: Callable[[], Any]) -> None:
        self._create = create

    def create(self) -> Any:
        return self._create()


class AnswersAsync(Answers):
    async def create(self) -> Any:
        return self._create()


class Perform(Task):
    def __init__(self, name: str, perform: Callable[[], Any]) -> None:
        self.name, self._perform = name, perform

    async def perform(self) -> Any:
        return self._perform()


class Awaits:
    """A plan whose `create()` awaits what a function returns."""

    name = "awaits"

    def __init__(self, create: Callable[[], Awaitable[None]]) -> None:
        self._create = create

    async def create(self) -> None:
        await self._create()


class Awaiting(Task):
    def __init__(self, name: str, perform: Callable[[], Awaitable[None]]) -> None:
        self.name, self._perform = name, perform

    async def perform(self) -> None:
        await self._perform()


class Panic(BaseException):
    """As extensions in other languages raise."""


FATAL = [SystemExit(3), KeyboardInterrupt(), Panic("rust"), GeneratorExit()]


def raising(error: BaseException) -> Callable[[], Any]:
    def create() -> Any:
        raise error

    return create


def generated(*items: Any) -> Callable[[], Iterator[Any]]:
    def create() -> Iterator[Any]:
        for item in items:
            if isinstance(item, Exception):
                raise item
            yield item

    return create


async def awaitable() -> None: ...


X = task("x", lambda: None)


@pytest.mark.parametrize("kind", [Answers, AnswersAsync])
class TestObserve:
    def observed(self, control: Controller, plan: Plan) -> Observed:
        return control.run(observe(control.code, KEY, plan, FRESH))

    @pytest.mark.parametrize("create", [lambda: None, list, generated()])
    def test_no_task_is_nothing_to_do(
        self, control: Controller, kind: type[Answers], create: Callable[[], Any]
    ) -> None:
        assert self.observed(control, kind(create)) == Nothing()

    @pytest.mark.parametrize("create", [lambda: [X], lambda: (X,), generated(X)])
    def test_tasks_are_work(self, control: Controller, kind: type[Answers], create: Callable[[], Any]) -> None:
        assert self.observed(control, kind(create)) == TasksLeft((X,))

    @pytest.mark.parametrize("create", [raising(DOWN), generated(X, DOWN)])
    def test_an_error_is_a_create_that_failed(
        self, control: Controller, kind: type[Answers], create: Callable[[], Any]
    ) -> None:
        assert self.observed(control, kind(create)) == CreateFailed(FRESH, DOWN)

    @pytest.mark.parametrize("create", [lambda: 42, lambda: ["x"], lambda: "x", awaitable])
    def test_what_is_not_a_task_is_fatal(
        self, control: Controller, kind: type[Answers], create: Callable[[], Any]
    ) -> None:
        found = self.observed(control, kind(create))
        assert isinstance(found, Failed)
        assert "create() of the plan 'answers'" in str(found.error)

    def test_a_cancellation_that_nobody_asked_for_is_a_create_that_failed(
        self, control: Controller, kind: type[Answers]
    ) -> None:
        found = self.observed(control, kind(raising(asyncio.CancelledError())))
        assert isinstance(found, CreateFailed)
        assert str(found.error) == "the plan's code raised CancelledError"

    def test_one_that_is_not_done_at_the_deadline_is_out_of_time(
        self, control: Controller, kind: type[Answers]
    ) -> None:
        late, released = Execution("e", time.time() - 10), Event()

        async def never() -> None:
            await asyncio.Event().wait()

        plan = Awaits(never) if kind is AnswersAsync else kind(lambda: released.wait(60))
        try:
            found = control.run(observe(control.code, KEY, plan, late, Options(execution_timeout=10.05)))
        finally:
            released.set()
        assert isinstance(found, Failed)
        assert isinstance(found.error, ExecutionTimeout)

    @pytest.mark.parametrize("error", FATAL)
    def test_what_would_end_the_process_is_fatal(
        self, control: Controller, kind: type[Answers], error: BaseException
    ) -> None:
        found = self.observed(control, kind(raising(error)))
        assert isinstance(found, Failed)
        assert isinstance(found.error, FatalError)
        assert f"the plan's code raised {type(error).__name__}" in str(found.error)
        assert found.error.__cause__ is error


class Refusing(PlanHost):
    """Says that another plan blocks the event loop."""

    async def call(self, key: object, function: object, **_options: object) -> Any:
        raise LoopGivenUp("team/other")

    async def on_loop(self, key: object, make: object, **_options: object) -> Any:
        raise LoopGivenUp("team/other")


class TestPostponed:
    def test_an_observation_is_postponed_when_the_operator_has_no_thread_left(self, control: Controller) -> None:
        found = control.run(observe(PlanHost(1, 0), KEY, Answers(list), FRESH))
        assert found == Postponed("0 threads are held by plans that block")

    @pytest.mark.parametrize("kind", [Answers, AnswersAsync])
    def test_so_is_a_run_on_an_event_loop_that_another_plan_blocks(
        self, control: Controller, kind: type[Answers]
    ) -> None:
        code = Refusing(1, 1)
        assert control.run(observe(code, KEY, kind(list), FRESH)) == Postponed("team/other")
        assert control.run(drive(code, KEY, kind(list), FRESH, Options(), Stop())[1]) == Postponed("team/other")


@pytest.mark.parametrize("kind", [Answers, AnswersAsync])
class TestDrive:
    def driven(self, control: Controller, plan: Plan, **options: Any) -> Outcome | Postponed | Refused:
        _, driving = drive(control.code, KEY, plan, FRESH, Options(**options), Stop())
        return control.run(driving)

    def test_a_plan_without_tasks_has_converged(self, control: Controller, kind: type[Answers]) -> None:
        assert self.driven(control, kind(list)) == Converged(FRESH.after_run(0))

    @pytest.mark.parametrize("make", [task, Perform])
    def test_tasks_run_and_it_is_asked_again(self, control: Controller, kind: type[Answers], make: Any) -> None:
        done: list[str] = []
        plan = kind(lambda: [make("x", lambda: done.append("x")), make("y", lambda: done.append("y"))])
        assert self.driven(control, plan) == Again(FRESH.after_run(0), 1.0)
        assert done == ["x", "y"]

    @pytest.mark.parametrize("make", [task, Perform])
    def test_errors_are_counted(self, control: Controller, kind: type[Answers], make: Any) -> None:
        found = self.driven(control, kind(lambda: [make("x", raising(DOWN)), make("y", raising(DOWN))]))
        assert isinstance(found, Again)
        assert (found.failed, found.execution.errors, found.execution.failed_runs) == (2, 2, 1)

    def test_a_spent_budget_ends_it(self, control: Controller, kind: type[Answers]) -> None:
        found = self.driven(control, kind(lambda: [task("x", raising(DOWN))]), errors_to_tolerate=0)
        assert isinstance(found, Failed)
        assert isinstance(found.error, ToleranceExceeded)

    def test_a_create_that_raises_is_told_uncounted(self, control: Controller, kind: type[Answers]) -> None:
        assert self.driven(control, kind(raising(DOWN))) == CreateFailed(FRESH, DOWN)

    @pytest.mark.parametrize("parallelism", [1, 2])
    @pytest.mark.parametrize("make", [task, Perform])
    def test_a_cancellation_that_nobody_asked_for_is_one_error(
        self, control: Controller, kind: type[Answers], make: Any, parallelism: int
    ) -> None:
        done: list[str] = []
        plan = kind(lambda: [make("x", raising(asyncio.CancelledError())), make("y", lambda: done.append("y"))])
        found = self.driven(control, plan, parallelism=parallelism)
        assert isinstance(found, Again)
        assert (found.failed, done) == (1, ["y"])
        assert found.execution.last_error == "x[0] perform: Cancelled: the plan's code raised CancelledError"

    def test_so_it_is_in_create(self, control: Controller, kind: type[Answers]) -> None:
        found = self.driven(control, kind(raising(asyncio.CancelledError())))
        assert isinstance(found, CreateFailed)
        assert str(found.error) == "the plan's code raised CancelledError"

    def test_the_wait_for_a_place_is_no_time_of_the_execution(
        self, control: Controller, kind: type[Answers], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("execloop.controller.plancode.runner._SHORT_WAIT", 0.0)
        found = self.driven(control, kind(list))
        assert found != Converged(FRESH.after_run(0))
        assert isinstance(found, Converged)
        assert found.execution.paused > 0

    def test_async_code_that_eats_its_cancellation_is_left_at_the_deadline(
        self, control: Controller, kind: type[Answers], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("execloop.controller.plancode.runner._GRACE", 0.0)
        control.code._patience = 0.0
        released = Event()

        async def eats() -> None:
            while not released.is_set():
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

        late = Execution("e", time.time() - 10)
        plan = kind(lambda: [Awaiting("x", eats)])
        try:
            found = control.run(drive(control.code, KEY, plan, late, Options(execution_timeout=10.05), Stop())[1])
            assert control.code.barred == {KEY}
        finally:
            released.set()
        assert isinstance(found, Failed)
        assert isinstance(found.error, ExecutionTimeout)

    @pytest.mark.parametrize("parallelism", [1, 2])
    @pytest.mark.parametrize("make", [task, Perform])
    @pytest.mark.parametrize("error", FATAL)
    def test_what_would_end_the_process_is_fatal(
        self, control: Controller, kind: type[Answers], make: Any, error: BaseException, parallelism: int
    ) -> None:
        found = self.driven(control, kind(lambda: [make("x", raising(error))]), parallelism=parallelism)
        assert isinstance(found, Failed)
        assert found.error.__cause__ is error

    @pytest.mark.parametrize("make", [task, Perform])
    def test_a_stop_is_honoured_at_the_next_task(self, control: Controller, kind: type[Answers], make: Any) -> None:
        stop, done = Stop(), list[str]()
        plan = kind(lambda: [make("x", stop.request), make("y", lambda: done.append("y"))])
        found = control.run(drive(control.code, KEY, plan, FRESH, Options(), stop)[1])
        assert (found, done) == (Interrupted(FRESH.after_run(0)), [])

    def test_at_the_deadline_a_call_that_blocks_is_left_behind(self, control: Controller, kind: type[Answers]) -> None:
        released, done = Event(), list[str]()
        plan = kind(lambda: [task("x", released.wait), task("y", lambda: done.append("y"))])
        late = Execution("e", time.time() - 10)
        try:
            found = control.run(drive(control.code, KEY, plan, late, Options(execution_timeout=10.05), Stop())[1])
        finally:
            released.set()
        assert isinstance(found, Failed)
        assert isinstance(found.error, ExecutionTimeout)
        assert done == []

    def test_its_progress_can_be_read_meanwhile(self, control: Controller, kind: type[Answers]) -> None:
        seen: list[tuple[int, int]] = []

        def look() -> None:
            assert run.walk is not None
            seen.append((run.walk.count, run.walk.known))

        run, driving = drive(control.code, KEY, kind(lambda: [X, task("look", look), X]), FRESH, Options(), Stop())
        control.run(driving)
        assert seen == [(2, 3)]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
class TestNextLook:
    """After a run without a pause the plan is asked again in the same call of its code."""

    @staticmethod
    def asked(
        control: Controller,
        found: Callable[[], Any],
        work: Callable[[], Any] = lambda: None,
        *,
        asynchronous: bool,
    ) -> tuple[Observed | None, int]:
        """Drive a run of one task, then a look; return what that found, and the calls of plan code."""
        calls: list[object] = []
        call, on_loop = control.code.call, control.code.on_loop
        control.code.call = lambda *given, **options: calls.append(0) or call(*given, **options)  # type: ignore[method-assign, func-returns-value]
        control.code.on_loop = lambda *given, **options: calls.append(0) or on_loop(*given, **options)  # type: ignore[method-assign, func-returns-value]
        first = AnswersAsync(lambda: [Perform("x", work)]) if asynchronous else Answers(lambda: [task("x", work)])

        def blocking() -> Any:
            return found()

        async def awaited() -> Any:
            return found()

        definition = definition_of(plan("again")(awaited if asynchronous else blocking))
        assert definition is not None
        then = NextLook(lambda _run: (plan_of(definition), FRESH), lambda _task: True, asynchronous)
        control.run(drive(control.code, KEY, first, FRESH, Options(sleep_between_runs=0), Stop(), then=then)[1])
        return then.found, len(calls)

    def test_it_finds_what_is_left_in_one_call(self, control: Controller, asynchronous: bool) -> None:
        assert self.asked(control, list, asynchronous=asynchronous) == (Nothing(), 1)
        found, _ = self.asked(control, lambda: [task("y", list)], asynchronous=asynchronous)
        assert isinstance(found, TasksLeft)
        assert [one.name for one in found.asked] == ["y"]

    def test_an_error_is_a_create_that_failed(self, control: Controller, asynchronous: bool) -> None:
        assert self.asked(control, raising(DOWN), asynchronous=asynchronous) == (CreateFailed(FRESH, DOWN), 1)

    @pytest.mark.parametrize("error", FATAL)
    def test_what_would_end_the_process_is_fatal(
        self, control: Controller, asynchronous: bool, error: BaseException
    ) -> None:
        found, _ = self.asked(control, raising(error), asynchronous=asynchronous)
        assert isinstance(found, Failed)
        assert isinstance(found.error, FatalError)


def test_a_run_that_leaves_tasks_behind_ends_before_its_plan_is_asked_again(control: Controller) -> None:
    left: list[asyncio.Task[None]] = []
    work = lambda: left.append(asyncio.create_task(asyncio.sleep(60)))  # noqa: E731
    assert TestNextLook.asked(control, list, work, asynchronous=True) == (None, 1)
    assert left[0].cancelled()


def test_a_plan_that_was_asked_already_is_not_asked_again(control: Controller) -> None:
    script = ScriptedPlan(["x"])
    observed = control.run(observe(control.code, KEY, script, FRESH))
    assert isinstance(observed, TasksLeft)
    prepared = Prepared("scripted", observed.tasks)
    assert control.run(drive(control.code, KEY, prepared, FRESH, Options(), Stop())[1]) == Again(FRESH.after_run(0), 1)
    assert (script.runs, script.performed) == (1, ["x"])


@plan("blocking")
class Blocking:
    def __init__(self) -> None:
        raise DOWN

    def create(self) -> None: ...


@plan("asynchronous")
class Asynchronous(Blocking):
    async def create(self) -> None: ...  # type: ignore[override]  # the other kind of plan


def plan_of(definition: Definition) -> DeferredPlan:
    return deferred(definition, {}, Context("a"), str, lambda _plan: None)


@pytest.mark.parametrize("kind", [Blocking, Asynchronous])
class TestUnmade:
    def test_a_plan_is_made_only_when_it_is_asked_and_by_whom_asks(
        self, control: Controller, kind: type[Blocking]
    ) -> None:
        definition = definition_of(kind)
        assert definition is not None
        assert control.run(observe(control.code, KEY, plan_of(definition), FRESH)) == CreateFailed(FRESH, DOWN)

    def test_messages_call_it_by_its_name(self, kind: type[Blocking], control: Controller) -> None:
        definition = definition_of(kind)
        assert definition is not None
        assert plan_of(definition).name == definition.name


class Plain(BaseModel):
    count: int


class Model:
    """A parameter model whose code does what it is told to."""

    def __init__(self, validate: Callable[[], object]) -> None:
        self._validate = validate

    def model_validate(self, _raw: dict[str, Any]) -> object:
        return self._validate()


@pytest.mark.parametrize("kind", [Blocking, Asynchronous])
class TestParameters:
    """The model that validates them is plan code, and runs where plan code does."""

    def observed(
        self, control: Controller, kind: type[Blocking], validate: Callable[[], object], **options: Any
    ) -> Observed:
        definition = definition_of(kind)
        assert definition is not None
        definition = replace(definition, parameters=Model(validate))
        return control.run(observe(control.code, KEY, plan_of(definition), FRESH, **options))

    def test_the_model_runs_in_a_thread_of_the_plans(self, control: Controller, kind: type[Blocking]) -> None:
        threads: list[Thread] = []
        self.observed(control, kind, lambda: threads.append(current_thread()))
        assert threads[0] is not current_thread()

    def test_one_without_code_validates_an_async_plan_s_parameters_in_no_thread(
        self, control: Controller, kind: type[Blocking]
    ) -> None:
        definition = definition_of(kind)
        assert definition is not None
        made = deferred(replace(definition, parameters=Plain), {"count": 1}, Context("a"), str, lambda _plan: None)
        assert made.prepare_here()
        odd = deferred(replace(definition, parameters=Plain), {"cuont": 1}, Context("a"), str, lambda _plan: None)
        assert not odd.prepare_here()
        refused = control.run(observe(control.code, KEY, odd, FRESH))
        assert isinstance(refused, Refused)
        assert "did you mean count?" in refused.message

    def test_what_it_refuses_is_refused(self, control: Controller, kind: type[Blocking]) -> None:
        found = self.observed(control, kind, raising(ValueError("the secret")))
        assert found == Refused("parameters: ValueError")

    @pytest.mark.parametrize("error", [*FATAL, RuntimeError("no"), asyncio.CancelledError()])
    def test_whatever_else_it_raises_refuses_its_plan_alone(
        self, control: Controller, kind: type[Blocking], error: BaseException
    ) -> None:
        found = self.observed(control, kind, raising(error))
        name = getattr(kind, "__execloop_plan__").name  # noqa: B009 - set by the decorator
        assert found == Refused(f"parameters: the model of {name!r} raised {type(error).__name__}")

    def test_one_that_blocks_is_left_behind_and_bars_its_plan(self, control: Controller, kind: type[Blocking]) -> None:
        released = Event()
        try:
            found = self.observed(control, kind, released.wait, options=Options(), left=0.01)
            assert control.code.barred == {KEY}
        finally:
            released.set()
        assert isinstance(found, Failed)
        assert isinstance(found.error, ExecutionTimeout)
