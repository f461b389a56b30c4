"""The rules of an execution, however it is driven; deadlines and several tasks at a time have files of their own."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execloop import Execution, FatalError, Options, ToleranceExceeded, task
from execloop.execution import Again, Converged, CreateFailed, Failed, Interrupted, Outcome
from execloop.run import Run, step
from execloop.testing import FakeClock
from execloop.walk import Stop
from tests.engine_model import (
    FLAVOURS,
    PHASES,
    UNLIMITED,
    Course,
    Flavour,
    Model,
    Node,
    Phase,
    Playback,
    Script,
    creating,
    one_run,
    options,
    play,
    scripts,
)

flavours = pytest.mark.parametrize("flavour", FLAVOURS)
pure_flavours = pytest.mark.parametrize("flavour", ["calls", "awaits", "threads"])
phases = pytest.mark.parametrize("phase", PHASES)


def tolerating(errors: int | None) -> Options:
    return Options(sleep_between_runs=0, errors_to_tolerate=errors, execution_timeout=None)


def calls(*nodes: Node, options: Options = UNLIMITED, flavour: Flavour = "calls") -> str:
    """The calls of one run of these tasks, as `name.phase` in order."""
    names = {place: node.name for place, node in _places(nodes, "")}
    course = play((nodes,), options, flavour)
    return " ".join(f"{names[place]}.{phase}" for place, phase in course.calls if place)


def _places(nodes: tuple[Node, ...], above: str) -> Iterator[tuple[str, Node]]:
    for number, node in enumerate(nodes):
        yield f"{above}{number}", node
        yield from _places(node.children, f"{above}{number}.")


# -- 1, 2: converged, or again


@flavours
def test_a_plan_that_asks_for_nothing_has_converged(flavour: Flavour) -> None:
    assert play((), UNLIMITED, flavour) == Course([("", "create")], 1, 0, ("converged", None))


@pytest.mark.parametrize("nothing", [None, [], (), iter(()), {}, ""], ids=lambda value: type(value).__name__)
def test_nothing_may_be_none_or_any_iterable_without_tasks(nothing: object) -> None:
    class Done:
        def create(self) -> Any:
            return nothing

    assert isinstance(step(Done(), Execution(), UNLIMITED), Converged)


@flavours
def test_tasks_run_in_order_each_through_its_three_phases(flavour: Flavour) -> None:
    assert calls(Node("a"), Node("b"), flavour=flavour) == "a.pre a.perform a.post b.pre b.perform b.post"


@flavours
def test_after_tasks_the_plan_is_asked_again_after_the_sleep(flavour: Flavour) -> None:
    clock = FakeClock()
    plan = Playback(((Node(),),), flavour, clock)
    first = one_run(plan, flavour, Execution(), Options(sleep_between_runs=7), clock=clock)
    assert first == Again(first.execution, 7.0, 0)
    second = one_run(plan, flavour, first.execution, Options(), clock=clock)
    assert second == Converged(second.execution)
    assert second.execution.runs == 2


# -- 3: create() raises


@pytest.mark.parametrize("error", [OSError("down"), FatalError("no")], ids=repr)
@pure_flavours
def test_an_error_of_create_is_handed_on_as_it_is_and_not_counted(flavour: Flavour, error: Exception) -> None:
    def create() -> None:
        raise error

    async def acreate() -> None:
        raise error

    plan = creating(acreate if flavour == "awaits" else create)
    before = Execution(started_at=0.0, runs=3, errors=2)
    outcome = one_run(plan, flavour, before, UNLIMITED, clock=FakeClock())
    assert outcome == CreateFailed(before, error)


def test_an_error_in_a_generator_of_tasks_is_an_error_of_create() -> None:
    def create() -> Iterator[Any]:
        yield task("a", lambda: None)
        raise OSError("down")

    outcome = step(creating(create), Execution(), UNLIMITED)
    assert isinstance(outcome, CreateFailed)
    assert str(outcome.error) == "down"


# -- 4, 5, 6: a phase raises

AFTER_A_FAILURE = {
    "pre": "a.pre b.pre b.perform b.post",
    "perform": "a.pre a.perform b.pre b.perform b.post",
    "post": "a.pre a.perform a.post b.pre b.perform b.post",
}


@flavours
@phases
def test_a_failure_skips_what_is_left_of_its_task_and_the_children_alone(phase: Phase, flavour: Flavour) -> None:
    failing = Node("a", children=(Node("child"),), fails=phase)
    assert calls(failing, Node("b"), flavour=flavour) == AFTER_A_FAILURE[phase]


@flavours
@phases
def test_a_failure_is_one_error_that_names_the_task_its_place_and_the_phase(phase: Phase, flavour: Flavour) -> None:
    clock = FakeClock()
    plan = Playback(((Node("a"), Node("b", children=(Node("c", fails=phase),))),), flavour, clock)
    outcome = one_run(plan, flavour, Execution(), UNLIMITED, clock=clock)
    assert isinstance(outcome, Again)
    assert (outcome.failed, outcome.execution.errors) == (1, 1)
    assert outcome.execution.last_error == f"b[1]/c[0] {phase}: OSError: down"


# -- 7: children


@flavours
def test_children_run_after_their_parents_post_and_before_its_next_sibling(flavour: Flavour) -> None:
    tree = Node("a", children=(Node("b", children=(Node("c"),)), Node("d")))
    assert calls(tree, Node("e"), flavour=flavour).split() == [
        f"{name}.{phase}" for name in "abcde" for phase in PHASES
    ]


class Link:
    """One of a chain of tasks, each the child of the one before."""

    name = "link"

    def __init__(self, depth: int, last: Exception | None = None) -> None:
        self.depth, self.last = depth, last

    def pre(self) -> None: ...
    def post(self) -> None: ...
    def perform(self) -> Any:
        if self.depth:
            return [type(self)(self.depth - 1, self.last)]
        if self.last:
            raise self.last
        return None


class AsyncLink(Link):
    async def perform(self) -> Any:
        return super().perform()


def chain(kind: type[Link], *, last: Exception | None = None) -> Run:
    return Run(creating(lambda: [kind(9_999, last)]), Execution(), UNLIMITED)


def drive(run: Run) -> Outcome:
    if not run.blocking():
        asyncio.run(run.on_loop())
    return run.conclude()


@pytest.mark.parametrize("kind", [Link, AsyncLink])
def test_children_may_be_10_000_deep(kind: type[Link]) -> None:
    run = chain(kind)
    assert isinstance(drive(run), Again)
    assert run.walk is not None
    assert run.walk.count == 10_000


@pytest.mark.parametrize("kind", [Link, AsyncLink])
def test_an_error_10_000_deep_can_be_read_and_thrown_away(kind: type[Link]) -> None:
    run = chain(kind, last=OSError("down"))
    outcome = drive(run)
    assert run.walk is not None
    (record,) = run.records
    assert len(record.path.positions) == 10_000
    assert outcome.execution.last_error == str(record)
    assert str(record).endswith("/link[0] perform: OSError: down")
    assert len(repr(record)) < 500
    del run, record, outcome  # freeing it must not recurse either


# -- 8, 9, 10: the budget


@flavours
@pytest.mark.parametrize(("tolerated", "performed"), [(0, 1), (1, 2), (3, 4), (None, 6)])
def test_the_error_that_exceeds_the_budget_stops_the_execution_at_once(
    tolerated: int | None, performed: int, flavour: Flavour
) -> None:
    course = play(((Node(fails="perform"),) * 6,), tolerating(tolerated), flavour)
    assert course.errors == performed
    assert course.end == (("converged", None) if tolerated is None else ("exceeded", performed))


def failing(times: int, error: Callable[[], Exception] = OSError) -> Any:
    def fail() -> None:
        raise error()

    return creating(lambda: [task(f"t{number}", fail) for number in range(times)])


def test_a_spent_budget_is_a_fatal_error_that_says_why() -> None:
    outcome = step(failing(3, lambda: OSError("down")), Execution(), tolerating(1))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ToleranceExceeded)
    assert isinstance(outcome.error, FatalError)
    assert str(outcome.error) == "2 errors, 1 tolerated; the last: OSError: down"
    assert str(outcome.error.__cause__) == "down"


def test_errors_add_up_over_the_runs_of_an_execution() -> None:
    execution = Execution()
    for _ in range(2):
        outcome = step(failing(2), execution, tolerating(4))
        assert isinstance(outcome, Again)
        execution = outcome.execution
    assert execution.errors == 4
    assert isinstance(step(failing(1), execution, tolerating(4)), Failed)


def test_runs_with_errors_are_counted_until_one_has_none() -> None:
    first = step(failing(2), Execution(), UNLIMITED).execution
    second = step(failing(1), first, UNLIMITED).execution
    third = step(creating(lambda: [task("fine", lambda: None)]), second, UNLIMITED).execution
    assert [first.failed_runs, second.failed_runs, third.failed_runs] == [1, 2, 0]
    assert third.last_error == second.last_error


# -- 11: fatal errors


@flavours
@pytest.mark.parametrize("error", ["fatal", "caused", "grouped"])
@phases
def test_a_fatal_error_wherever_it_is_held_stops_at_once_whatever_the_budget(
    phase: Phase, error: str, flavour: Flavour
) -> None:
    course = play(((Node("a", fails=phase, error=error), Node("b")),), UNLIMITED, flavour)
    assert course.end == ("fatal", "deep")
    assert all(place in ("", "0") for place, _ in course.calls)


def test_the_fatal_error_is_the_very_one_that_the_task_raised() -> None:
    fatal = FatalError("no")

    def fail() -> None:
        raise OSError("wrapped") from fatal

    outcome = step(creating(lambda: [task("a", fail)]), Execution(), UNLIMITED)
    assert isinstance(outcome, Failed)
    assert outcome.error is fatal
    assert outcome.execution.errors == 1


def test_a_fatal_error_is_not_sought_in_what_was_merely_being_handled() -> None:
    def fail() -> None:
        try:
            raise FatalError("handled")
        except FatalError:
            raise OSError("down")  # noqa: B904 - that is what is tested

    assert isinstance(step(creating(lambda: [task("a", fail)]), Execution(), UNLIMITED), Again)


# -- 12: one failing call


@flavours
def test_a_failing_call_is_one_error_however_deep(flavour: Flavour) -> None:
    deep = Node("a", children=(Node("b", children=(Node("c", children=(Node("d", fails="pre"),)),)),))
    assert play(((deep,),), UNLIMITED, flavour).errors == 1


# -- 16: a stop request


@pure_flavours
@phases
def test_a_stop_lets_the_task_at_hand_finish_and_its_children_wait(phase: Phase, flavour: Flavour) -> None:
    stop, seen = Stop(), []

    def note(name: str, this: Phase) -> Any:
        seen.append(f"{name}.{this}")
        if name == "a" and this == phase:
            stop.request()
        return [make("child")] if name == "a" and this == "perform" else None

    def make(name: str) -> Any:
        def phase_of(this: Phase) -> Any:
            async def anote() -> Any:
                return note(name, this)

            return anote if flavour == "awaits" else lambda: note(name, this)

        return task(name, phase_of("perform"), pre=phase_of("pre"), post=phase_of("post"))

    plan = creating(lambda: [make("a"), make("b")])
    outcome = one_run(plan, flavour, stop=stop)
    assert seen == ["a.pre", "a.perform", "a.post"]
    assert outcome == Interrupted(outcome.execution)
    assert (outcome.execution.runs, outcome.execution.errors) == (1, 0)


@pure_flavours
def test_a_stop_before_the_run_asks_nothing_of_the_plan(flavour: Flavour) -> None:
    stop = Stop()
    stop.request()
    plan = creating(lambda: pytest.fail("it was asked"))
    outcome = one_run(plan, flavour, stop=stop)
    assert outcome == Interrupted(outcome.execution)
    assert outcome.execution.runs == 0


# -- 17, 19: what is not a task, and who cannot await


ODD = {
    "a number": (5, r"create\(\) of the plan 'odd' must return None or an iterable of tasks, not 5"),
    "a task alone": (task("a", print), r"must return None or an iterable of tasks, not task\('a'\)"),
    "numbers": ([1, 2], r"create\(\) of the plan 'odd' returned 1, which is not a task: it has no method pre\(\)"),
    "a string": ("abc", r"returned 'a', which is not a task"),
    "None among tasks": ([task("a", print), None], r"returned None, which is not a task"),
    "a class": ([Link], r"returned the class Link: return an instance of it"),
}


def odd(returned: object) -> Any:
    class Odd:
        name = "odd"

        def create(self) -> Any:
            return returned

    return Odd()


@pytest.mark.parametrize(("returned", "message"), ODD.values(), ids=ODD)
def test_a_create_that_returns_something_odd_is_a_type_error_that_names_plan_and_object(
    returned: object, message: str
) -> None:
    outcome = step(odd(returned), Execution(), UNLIMITED)
    assert isinstance(outcome, Failed)
    with pytest.raises(TypeError, match=message):
        raise outcome.error


@pure_flavours
@pytest.mark.parametrize("returned", [5, [1, 2], "abc", task("x", print)], ids=repr)
def test_a_perform_that_returns_something_odd_is_one_counted_type_error(returned: object, flavour: Flavour) -> None:
    async def aperform() -> Any:
        return returned

    child = task("a", aperform if flavour == "awaits" else lambda: returned)
    outcome = one_run(creating(lambda: [child]), flavour)
    assert isinstance(outcome, Again)
    assert outcome.failed == 1
    assert (outcome.execution.last_error or "").startswith("a[0] perform: NotTasks: perform() of the task 'a' ")


async def acreate() -> None:
    raise AssertionError("nobody awaits it")


async def aperform() -> None:
    raise AssertionError("nobody awaits it")


def test_an_async_plan_in_a_sync_run_is_a_type_error_that_names_it_and_arun() -> None:
    class Later:
        name = "later"
        create = staticmethod(acreate)

    with pytest.raises(TypeError, match=r"the plan 'later' is asynchronous: use arun\(\) instead of run\(\)"):
        step(Later(), Execution(), UNLIMITED)


def test_an_async_task_in_a_sync_run_is_a_type_error_before_any_task_runs() -> None:
    tasks = [task("a", lambda: pytest.fail("it was run")), task("b", aperform)]
    with pytest.raises(TypeError, match=r"the task 'b' is asynchronous: use arun\(\) instead of run\(\)"):
        step(creating(lambda: tasks), Execution(), UNLIMITED)


def test_an_async_child_in_a_sync_run_is_a_type_error_too() -> None:
    tasks = [task("a", lambda: [task("b", aperform)])]
    with pytest.raises(TypeError, match=r"the task 'b' is asynchronous"):
        step(creating(lambda: tasks), Execution(), UNLIMITED)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("flavour", ["calls", "threads"])
def test_a_function_that_returns_a_coroutine_must_be_declared_async(phase: Phase, flavour: Flavour) -> None:
    def plain() -> Any:
        return aperform()

    functions: dict[str, Any] = {name: lambda: None for name in PHASES}
    functions[phase] = plain
    hidden = task("a", functions["perform"], pre=functions["pre"], post=functions["post"])
    outcome = one_run(creating(lambda: [hidden]), flavour)
    assert outcome.execution.errors == 1
    assert "returned an awaitable: declare it with `async def`" in (outcome.execution.last_error or "")


def test_a_create_that_returns_a_coroutine_must_be_declared_async() -> None:
    def plain() -> Any:
        return acreate()

    outcome = step(creating(plain), Execution(), UNLIMITED)
    assert isinstance(outcome, Failed)
    assert "returned an awaitable: declare it with `async def`" in str(outcome.error)


@pytest.mark.parametrize("plan", [None, object(), 5, print], ids=["None", "object", "number", "function"])
def test_what_has_no_create_is_not_a_plan(plan: Any) -> None:
    with pytest.raises(TypeError, match=r"a plan must have a method create\(\); .* has none"):
        step(plan, Execution(), UNLIMITED)


def test_a_class_is_not_a_plan() -> None:
    class Some:
        def create(self) -> None: ...

    with pytest.raises(TypeError, match=r"not the class .*Some: make one"):
        step(Some, Execution(), UNLIMITED)  # type: ignore[arg-type]  # that is what is tested


# -- 18: names


def test_siblings_may_share_a_name_and_are_told_apart_by_their_position() -> None:
    run = Run(failing_twins(), Execution(), UNLIMITED)
    run.blocking()
    assert [str(record.path) for record in run.records] == ["twin[0]", "twin[1]"]


def failing_twins() -> Any:
    def fail() -> None:
        raise OSError

    return creating(lambda: [task("twin", fail), task("twin", fail)])


# -- every rule at once, against the model


@settings(max_examples=300, deadline=None)
@given(scripts, options, st.sampled_from(FLAVOURS))
def test_the_engine_does_what_the_model_does(script: Script, options: Options, flavour: Flavour) -> None:
    assert play(script, options, flavour) == Model(script, options).interpret()


@settings(max_examples=100, deadline=None)
@given(scripts, options, st.sampled_from(FLAVOURS))
def test_an_execution_resumed_before_each_run_ends_as_one_that_was_not(
    script: Script, options: Options, flavour: Flavour
) -> None:
    def restart(execution: Execution) -> Execution:
        return Execution.from_dict(json.loads(json.dumps(execution.to_dict())))

    assert play(script, options, flavour, between=restart) == play(script, options, flavour)
