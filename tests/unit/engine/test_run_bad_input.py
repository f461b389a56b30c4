"""What is not a plan, what is not tasks, and who cannot await."""

from types import SimpleNamespace
from typing import Any

import pytest

from execloop import Execution, task
from execloop._engine.execution import Again, Failed
from execloop._engine.run import step
from tests.engine_model import PHASES, UNLIMITED, Flavour, Phase, creating, one_run

pure_flavours = pytest.mark.parametrize("flavour", ["calls", "awaits", "threads"])


class Minimal:
    name = "minimal"

    def pre(self) -> None: ...
    def perform(self) -> None: ...
    def post(self) -> None: ...


ODD = {
    "a number": (5, r"create\(\) of the plan 'odd' must return None or an iterable of tasks, not 5"),
    "a task alone": (task("a", print), r"must return None or an iterable of tasks, not task\('a'\)"),
    "numbers": ([1, 2], r"create\(\) of the plan 'odd' returned 1, which is not a task: it has no method pre\(\)"),
    "a string": ("abc", r"create\(\) of the plan 'odd' must return None or an iterable of tasks, not 'abc'"),
    "an empty string": ("", r"create\(\) of the plan 'odd' must return None or an iterable of tasks, not ''"),
    "empty bytes": (b"", r"create\(\) of the plan 'odd' must return None or an iterable of tasks, not b''"),
    "an empty mapping": ({}, r"create\(\) of the plan 'odd' must return None or an iterable of tasks, not {}"),
    "a mapping of tasks": ({task("a", print): 1}, r"must return None or an iterable of tasks, not {task\('a'\): 1}"),
    "a long string": ("x" * 9999, r"not 'x{50,60}\.\.\.x{50,60}'$"),
    "None among tasks": ([task("a", print), None], r"returned None, which is not a task"),
    "a class": ([Minimal], r"returned the class Minimal: return an instance of it"),
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


def performing(perform: Any, pre: Any = lambda: None, post: Any = lambda: None) -> Any:
    """A task that is not made by `task()`: what functions return follows another rule."""
    return SimpleNamespace(name="a", pre=pre, perform=perform, post=post)


@pure_flavours
@pytest.mark.parametrize("returned", [5, [1, 2], "abc", "", b"", {}, task("x", print)], ids=repr)
def test_a_perform_that_returns_something_odd_is_one_counted_type_error(returned: object, flavour: Flavour) -> None:
    async def aperform() -> Any:
        return returned

    odd = performing(aperform if flavour == "awaits" else lambda: returned)
    outcome = one_run(creating(lambda: [odd]), flavour)
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
    hidden = performing(**functions)
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
