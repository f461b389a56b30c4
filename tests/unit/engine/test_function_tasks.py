"""What becomes of the result of a function that was made a task."""

import asyncio
import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from execloop import Execution, Task, Wait, arun, run, task
from execloop._engine.execution import Again
from execloop._engine.run import Run, step
from execloop._engine.walk import Stop
from tests.engine_model import UNLIMITED, Flavour, creating, one_run

flavours = pytest.mark.parametrize("flavour", ["calls", "threads", "awaits"])


def function(result: object, flavour: Flavour) -> Any:
    async def later() -> object:
        return result

    return later if flavour == "awaits" else lambda: result


def performing(result: Any, flavour: Flavour) -> list[str]:
    """The names of the tasks that were performed after one whose function has this result."""
    seen: list[str] = []
    made = result(lambda name: task(name, seen.append, name))
    outcome = one_run(creating(lambda: [task("a", function(made, flavour))]), flavour)
    assert isinstance(outcome, Again)
    assert outcome.failed == 0, outcome.execution.last_error
    return seen


@flavours
@pytest.mark.parametrize(
    "result",
    [5, True, "text", b"bytes", {}, {"a": 1}, [], [1, 2], range(3), Path(), Mock(), io.StringIO("a\nb"), object],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_task_is_ignored(result: object, flavour: Flavour) -> None:
    assert performing(lambda _: result, flavour) == []


@flavours
@pytest.mark.parametrize(
    "result",
    [
        lambda child: child("x"),
        lambda child: [child("x")],
        lambda child: (child("x"),),
        lambda child: {child("x")},
        lambda child: deque([child("x")]),
        lambda child: (child(name) for name in "x"),
        lambda child: map(child, "x"),
    ],
    ids=["task", "list", "tuple", "set", "deque", "generator", "map"],
)
def test_tasks_are_its_children(result: Any, flavour: Flavour) -> None:
    assert performing(result, flavour) == ["x"]


def test_a_generator_function_does_its_work() -> None:
    seen: list[int] = []

    def work() -> Iterator[int]:
        for number in range(3):
            seen.append(number)
            yield number

    step(creating(lambda: [task("a", work)]), Execution(), UNLIMITED)
    assert seen == [0, 1, 2]


def test_an_iterator_with_effects_of_its_own_is_left_alone() -> None:
    stream = io.StringIO("a\nb")
    step(creating(lambda: [task("a", lambda: stream)]), Execution(), UNLIMITED)
    assert stream.read() == "a\nb"


@flavours
def test_tasks_beside_what_is_none_are_a_mistake(flavour: Flavour) -> None:
    outcome = one_run(creating(lambda: [task("a", function([task("x", print), 5], flavour))]), flavour)
    assert "perform() of the task 'a' returned 5, which is not a task" in (outcome.execution.last_error or "")


def test_an_async_generator_is_a_mistake() -> None:
    async def generate() -> Any:
        yield 1

    outcome = step(creating(lambda: [task("a", generate)]), Execution(), UNLIMITED)
    assert "returned an async generator, whose code never ran" in (outcome.execution.last_error or "")


# -- an awaitable


def hidden(seen: list[str], result: Any = None) -> Any:
    """A function that is not `async def` and returns what must be awaited."""

    async def work() -> Any:
        await asyncio.sleep(0)
        seen.append("work")
        return result

    return lambda: work()  # noqa: PLW0108 - which is what hides it


@pytest.mark.parametrize("parallelism", [1, 4])
@pytest.mark.parametrize("asynchronous_post", [False, True])
def test_an_awaitable_is_awaited_before_post_and_the_children(parallelism: int, asynchronous_post: bool) -> None:
    seen: list[str] = []

    async def apost() -> None:
        seen.append("post")

    def post() -> None:
        seen.append("post")

    first = task("a", hidden(seen, [task("x", seen.append, "child")]), post=apost if asynchronous_post else post)
    left = [[first, task("b", seen.append, "next")]]
    plan = creating(lambda: left.pop() if left else None)
    report = asyncio.run(arun(plan, parallelism=parallelism, sleep_between_runs=0))
    assert report.error_count == 0
    if parallelism == 1:
        assert seen == ["work", "post", "child", "next"]
    assert sorted(seen) == ["child", "next", "post", "work"]


@pytest.mark.parametrize("how", ["request", "expire"])
def test_a_stop_meanwhile_lets_it_end_and_a_deadline_abandons_it(how: str) -> None:
    seen: list[str] = []
    stop = Stop()

    async def work() -> None:
        seen.append("work")

    def begin() -> Any:
        getattr(stop, how)()
        return work()

    tasks = [task("a", begin, post=lambda: seen.append("post")), task("b", seen.append, "next")]
    one = Run(creating(lambda: tasks), Execution(), UNLIMITED, stop=stop)
    assert one.blocking() is (how == "expire")
    asyncio.run(one.on_loop())
    assert seen == (["work", "post"] if how == "request" else [])


def test_an_awaitable_that_fails_is_one_error_of_perform() -> None:
    async def fail() -> None:
        raise OSError("down")

    hidden = lambda: fail()  # noqa: E731, PLW0108 - which is what hides it
    plan = creating(lambda: [task("a", hidden, post=lambda: pytest.fail("post() was called"))])
    outcome = one_run(plan, "threads")
    assert outcome.execution.last_error == "a[0] perform: OSError: down"


@pytest.mark.parametrize("options", [{}, {"execution_timeout": None}, {"parallelism": 2}], ids=repr)
def test_an_awaitable_in_a_sync_run_is_a_type_error_that_names_the_task_and_arun(options: Any) -> None:
    seen: list[str] = []
    plan = creating(lambda: [task("a", hidden(seen)), task("b", seen.append, "next")])
    with pytest.raises(TypeError, match=r"the task 'a' returned an awaitable: use arun\(\) instead of run\(\)"):
        run(plan, sleep_between_runs=0, **options)
    assert seen in ([], ["next"])  # "next" when both ran at one moment


def test_a_coroutine_function_with_arguments_is_refused_before_any_task_runs() -> None:
    async def later(_: int) -> None: ...

    tasks = [task("a", lambda: pytest.fail("it was run")), task("b", later, 5)]
    with pytest.raises(TypeError, match=r"the task 'b' is asynchronous: use arun"):
        run(creating(lambda: tasks))


class WithWait(Task):
    name = "a"

    def perform(self) -> list[Wait]:
        return [Wait("the pods")]


@flavours
def test_a_wait_among_the_children_is_a_wait(flavour: Flavour) -> None:
    for one in (WithWait(), task("a", function(Wait("the pods"), flavour))):
        outcome = one_run(creating([one].copy), flavour)
        assert isinstance(outcome, Again)
        assert (outcome.waiting, outcome.failed) == (("the pods",), 0)
