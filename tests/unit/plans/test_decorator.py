"""`@plan`: what it accepts, and what it finds out."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from execloop import Context, Task, plan, task
from execloop._plans.context import connected
from execloop._plans.definition import Definition, definition_of

ill_typed: Any = plan


def defined(target: Any) -> Definition:
    found = definition_of(target)
    assert found is not None
    return found


# -- what a plan is called with


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda: None, ()),
        (lambda parameters: None, ("p",)),
        (lambda context: None, ("c",)),
        (lambda parameters, context: None, ("p", "c")),
        (lambda anything, else_: None, ("p", "c")),
        (lambda *args: None, ("p", "c")),
        (lambda parameters, *, keyword=1: None, ("p",)),
    ],
    ids=["nothing", "parameters", "context", "both", "by position", "any number", "keyword"],
)
def test_a_plan_is_called_with_what_it_takes(function: Any, given: tuple[str, ...]) -> None:
    made: Any = plan("some")(function)
    context: Any = "c"
    assert defined(made).make("p", context)._args == given  # type: ignore[attr-defined]


def test_a_context_of_its_own_name_is_made_when_none_is_given() -> None:
    made: Any = defined(plan("some")(lambda context: None)).make()
    assert made._args[0].name == "some"


def test_more_than_two_arguments_are_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"a plan takes at most \(parameters, context\)"):
        plan("some")(lambda a, b, c: None)


# -- declarations


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("10m", 600.0), (90, 90.0), (timedelta(hours=1), 3600.0), (None, None), (0, 0.0)],
)
def test_stuck_after_is_a_time_or_never(value: Any, seconds: float | None) -> None:
    class Some:
        stuck_after = value

        def create(self) -> None: ...

    for target in (plan("some", stuck_after=value)(lambda: None), plan("some")(Some)):
        found = defined(target)
        assert found.same_work_seconds == seconds
        assert found.same_work_runs == (None if value is None else 20)


def test_without_it_a_plan_is_stuck_after_twenty_runs_and_five_minutes() -> None:
    found = defined(plan("some")(lambda: None))
    assert (found.same_work_runs, found.same_work_seconds) == (20, 300.0)


def test_a_class_may_say_runs_and_seconds() -> None:
    @plan("some")
    class Some:
        same_work_runs = 3
        same_work_seconds = 0.5

        def create(self) -> None: ...

    assert (defined(Some).same_work_runs, defined(Some).same_work_seconds) == (3, 0.5)


def test_what_a_plan_watches_is_an_attribute_of_what_is_made() -> None:
    kinds = [("v1", "ConfigMap")]

    @plan("a-class", watches=kinds)
    class Some:
        def create(self) -> None: ...

    made: Any = plan("a-function", watches=kinds)(lambda: None)
    assert Some().watches == made().watches == kinds  # type: ignore[attr-defined]
    assert plan("without")(lambda: None)().watches == ()  # type: ignore[attr-defined]


def test_a_function_has_another_as_its_teardown() -> None:
    def undo(parameters: dict[str, str]) -> list[Task]:
        return [task(f"undo {parameters['x']}", print)]

    async def aundo(parameters: dict[str, str]) -> list[Task]:
        return []

    @plan("some", teardown=undo)
    def some(parameters: dict[str, str]) -> None: ...

    made: Any = defined(some).make({"x": "it"})
    assert [each.name for each in made.teardown()] == ["undo it"]
    assert (defined(some).teardown, defined(some).teardown_asynchronous) == (True, False)
    assert defined(plan("other", teardown=aundo)(lambda parameters: None)).teardown_asynchronous
    assert not defined(plan("third")(lambda: None)).teardown


class Created:
    created = watched = 0

    def create(self) -> None: ...


class TearDown(Created):
    def tear_down(self) -> None: ...


class Misspelt(Created):
    same_work_run = 5


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (
            lambda: ill_typed("x", same_work_run=3),
            "there is no declaration 'same_work_run'; use parameters",
        ),
        (lambda: ill_typed("x", watch=()), r"@plan\('x'\): there is no declaration 'watch'; did you mean 'watches'\?"),
        (lambda: ill_typed("x", parameter=5), "did you mean 'parameters'"),
        (
            lambda: ill_typed("x")(Misspelt),
            "class Misspelt: .* 'same_work_run'; did you mean 'same_work_runs'",
        ),
        (lambda: ill_typed("x")(TearDown), "there is no declaration 'tear_down'; did you mean 'teardown'"),
        (
            lambda: ill_typed("x", teardown=print)(Created),
            "Created has its teardown as a method",
        ),
        (lambda: ill_typed("x", teardown=5)(lambda: None), r"@plan\('x'\): teardown must be callable, not 5"),
        (
            lambda: ill_typed("x", stuck_after="soon")(lambda: None),
            "stuck_after should be a duration .*'soon'",
        ),
        (lambda: ill_typed("x", stuck_after=-1)(lambda: None), "stuck_after must be a number of seconds"),
        (lambda: ill_typed("x", parameters=5)(lambda: None), r"must be a class with model_validate\(\), not 5"),
        (lambda: ill_typed("x")(5), "@plan decorates a class or a function, not 5"),
        (lambda: ill_typed("x")(object), r"the class object needs a method create\(\)"),
    ],
)
def test_a_mistake_is_a_type_error_when_the_plan_is_defined(define: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        define()


def test_other_attributes_of_a_class_are_its_own_business() -> None:
    assert defined(plan("some")(Created)).name == "some"


# -- the context


def test_a_context_has_state_a_logger_and_no_cluster() -> None:
    context = Context("some")
    context.state["request"] = "id-1"
    assert (Context("other").state, context.logger) == ({}, logging.getLogger("execloop.plan"))
    with pytest.raises(RuntimeError, match="this plan needs a cluster and none was given"):
        _ = context.kube
    with pytest.raises(RuntimeError, match="this plan needs a cluster and none was given"):
        _ = context.api_client


def test_a_connected_context_makes_its_clients_when_they_are_asked_for() -> None:
    kube: Any = lambda: "kube"  # noqa: E731
    api_client: Any = lambda: "official"  # noqa: E731
    before = Context("some", state={"x": 1})
    context: Any = connected(before, kube, api_client)
    assert (context.kube, context.api_client) == ("kube", "official")
    assert context.state is before.state
    assert context == before
