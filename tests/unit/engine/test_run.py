"""The rules of an execution, however it is driven; deadlines and several tasks at a time have files of their own."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from execloop import Execution, FatalError, Options, ToleranceExceeded, task
from execloop._engine.execution import Again, Converged, CreateFailed, Failed, Interrupted, Outcome
from execloop._engine.run import Run, step
from execloop._engine.walk import Stop
from execloop.testing import FakeClock
from tests.engine_model import (
    FLAVOURS,
    PHASES,
    UNLIMITED,
    Course,
    Flavour,
    Node,
    Phase,
    Playback,
    creating,
    one_run,
    play,
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


@pytest.mark.parametrize("nothing", [None, [], (), iter(()), set()], ids=lambda value: type(value).__name__)
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
    return run.finish()


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


# -- 18: names


def test_siblings_may_share_a_name_and_are_told_apart_by_their_position() -> None:
    run = Run(failing_twins(), Execution(), UNLIMITED)
    run.blocking()
    assert [str(record.path) for record in run.records] == ["twin[0]", "twin[1]"]


def failing_twins() -> Any:
    def fail() -> None:
        raise OSError

    return creating(lambda: [task("twin", fail), task("twin", fail)])


class Cancelled(Exception):
    """What a driver of one's own makes of a CancelledError."""


def counted(_error: BaseException) -> Exception:
    return Cancelled()


def cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("parallelism", [1, 2])
def test_whoever_drives_a_run_may_count_what_the_library_never_swallows(parallelism: int) -> None:
    options = Options(sleep_between_runs=0, execution_timeout=None, parallelism=parallelism)
    plan = creating(lambda: [task("x", cancelled), task("y", cancelled)])
    outcome = drive(Run(plan, Execution(), options, classify=counted))
    assert isinstance(outcome, Again)
    assert outcome.failed == 2


def test_whoever_drives_a_run_may_count_it_in_create_too() -> None:
    outcome = drive(Run(creating(cancelled), Execution(), UNLIMITED, classify=counted))
    assert isinstance(outcome, CreateFailed)
    assert isinstance(outcome.error, Cancelled)


def test_a_run_that_is_put_off_has_as_much_time_as_before() -> None:
    clock = FakeClock()
    run = Run(creating(lambda: [task("x", list)]), Execution(), Options(execution_timeout=10), clock=clock)
    clock.advance(60)
    run.put_off(60)
    outcome = drive(run)
    assert isinstance(outcome, Again)
    assert outcome.execution.paused == 60
