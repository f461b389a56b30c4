"""What is a task, and what is known of how to attempt it."""

import functools
from collections import UserList
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest

from execloop import Task, task
from execloop._engine.returned import NotTasks, as_tasks, take
from execloop._engine.tasks import AWAIT, CALL, SKIP, detail_of, modes, needs_approval


def source() -> str:
    return "perform() of the task 'x'"


def nothing() -> None: ...


async def later() -> None: ...


class Minimal(Task):
    name = "minimal"

    def perform(self) -> None: ...


class Async(Task):
    name = "async"

    async def perform(self) -> None: ...


class Duck:
    """Knows nothing of execloop."""

    def __init__(self, name: object = "duck") -> None:
        self.name = name

    def pre(self) -> None: ...
    def perform(self) -> None: ...
    async def post(self) -> None: ...


class Static:
    name = "static"
    pre = staticmethod(nothing)
    perform = staticmethod(later)

    @classmethod
    def post(cls) -> None: ...


class Slotted:
    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = "slotted"

    def pre(self) -> None: ...
    def perform(self) -> None: ...
    def post(self) -> None: ...


class Computed(Minimal):
    @property
    def name(self) -> str:  # type: ignore[override]  # a property will do for an attribute that is only read
        return "computed"


class AsyncCallable:
    async def __call__(self) -> None: ...


# -- task() in its two forms


def test_a_task_from_functions_has_their_phases() -> None:
    made = task("create user", nothing, pre=later, post=nothing)
    assert (made.name, made.perform, made.pre, made.post) == ("create user", nothing, later, nothing)
    assert repr(made) == "task('create user')"
    assert isinstance(made, Task)


def test_a_decorated_function_makes_tasks_of_its_name() -> None:
    users: list[str] = []

    @task
    def create_user(name: str, *, admin: bool = False) -> None:
        """Make one."""
        users.append(f"{name} {admin}")

    made = create_user("eve", admin=True)
    assert users == []
    made.perform()
    assert (made.name, users) == ("create_user", ["eve True"])
    assert create_user.__doc__ == "Make one."


def test_a_decorated_function_can_be_given_another_name() -> None:
    @task("create user")
    def create_user(name: str) -> None: ...

    assert create_user("eve").name == "create user"


ill_typed: Any = task


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ill_typed("x", 5), r"task\('x'\): perform must be callable, not 5"),
        (lambda: ill_typed("x", nothing, pre="no"), r"task\('x'\): pre must be callable, not 'no'"),
        (lambda: ill_typed("x", nothing, post=5), r"task\('x'\): post must be callable, not 5"),
        (lambda: ill_typed(5, nothing), "the name of a task must be a string, not 5"),
        (lambda: ill_typed(5), "the name of a task must be a string, not 5"),
        (lambda: ill_typed("x", None), r"task\('x'\): perform must be callable, not None"),
        (lambda: ill_typed("x", pre=nothing), r"task\('x', pre=…\) also needs a function, its second argument"),
        (lambda: ill_typed("x", size=5), r"task\('x', size=…\) also needs a function, its second argument"),
        (lambda: ill_typed(nothing, approval=True), "the name of a task must be a string, not <function nothing"),
        (lambda: ill_typed("x")(5), r"task\('x'\): what it decorates must be callable, not 5"),
        (lambda: ill_typed(functools.partial(nothing)), "the name of a task must be a string, not None"),
    ],
)
def test_what_cannot_make_a_task_is_a_type_error(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_the_arguments_of_a_function_follow_it() -> None:
    seen: list[object] = []

    def create_user(name: str, *, admin: bool = False) -> None:
        seen.append((name, admin))

    made = task("create user", create_user, "eve", admin=True, pre=lambda: seen.append("pre"))
    made.pre()
    made.perform()
    assert seen == ["pre", ("eve", True)]


# -- what the operator shows of a task, and asks for


def test_a_task_has_no_detail_and_needs_no_approval_unless_it_says_so() -> None:
    for made in (Minimal(), Duck(), task("x", nothing)):
        assert (detail_of(made), needs_approval(made)) == ("", False)  # type: ignore[arg-type]


def test_a_class_of_tasks_may_have_both() -> None:
    class Drop(Minimal):
        detail = "DROP TABLE old"
        approval = True

    assert (detail_of(Drop()), needs_approval(Drop())) == ("DROP TABLE old", True)


def test_a_decorated_function_may_have_both() -> None:
    @task("drop table", detail="DROP TABLE {}".format, approval=True)
    def drop(name: str) -> None: ...

    made = drop("old")
    assert (detail_of(made), needs_approval(made)) == ("DROP TABLE old", True)


def test_a_dataclass_may_have_a_detail_without_a_default() -> None:
    @dataclass
    class Drop(Task):
        name: str
        detail: str
        table: str

        def perform(self) -> None: ...

    assert Drop("x", "SQL", "old").detail == "SQL"


@pytest.mark.parametrize(
    ("detail", "error", "message"),
    [
        (5, TypeError, "the detail of the task 'minimal' must be text, not int"),
        ("é" * 2049, ValueError, "the detail of the task 'minimal' has 4098 bytes: at most 4096"),
    ],
)
def test_a_detail_is_text_of_four_kibibytes_at_most(detail: object, error: type[Exception], message: str) -> None:
    made = Minimal()
    made.detail = detail  # type: ignore[attr-defined]
    with pytest.raises(error, match=message):
        detail_of(made)


# -- how to attempt the phases

HOW = [
    (Minimal(), (SKIP, CALL, SKIP)),
    (Async(), (SKIP, AWAIT, SKIP)),
    (Duck(), (CALL, CALL, AWAIT)),
    (Static(), (CALL, AWAIT, CALL)),
    (Slotted(), (CALL, CALL, CALL)),
    (task("x", nothing), (SKIP, CALL, SKIP)),
    (task("x", later, post=later), (SKIP, AWAIT, AWAIT)),
    (task("x", functools.partial(later), pre=nothing), (CALL, AWAIT, SKIP)),
    (task(later)(), (SKIP, AWAIT, SKIP)),
    (task("x", AsyncCallable()), (SKIP, AWAIT, SKIP)),
    (SimpleNamespace(name="x", pre=later, perform=nothing, post=nothing), (AWAIT, CALL, CALL)),
]


@pytest.mark.parametrize(("candidate", "how"), HOW)
def test_each_phase_is_skipped_called_or_awaited(candidate: Any, how: tuple[int, int, int]) -> None:
    assert modes(candidate) == how


def test_instances_of_one_class_may_differ() -> None:
    one, other = (SimpleNamespace(name="x", pre=nothing, perform=f, post=nothing) for f in (nothing, later))
    assert (modes(one), modes(other)) == ((CALL, CALL, CALL), (CALL, AWAIT, CALL))


def test_classes_made_at_run_time_do_not_pile_up() -> None:
    from execloop._engine.tasks import _KNOWN_LIMIT, _known

    for _ in range(2 * _KNOWN_LIMIT):
        as_tasks([type("Made", (Minimal,), {})()], source)
    assert len(_known) <= _KNOWN_LIMIT


# -- what create() and perform() may return


@pytest.mark.parametrize("wrap", [list, tuple, iter, lambda items: (item for item in items), UserList])
def test_any_iterable_of_tasks_will_do(wrap: Any) -> None:
    tasks = (Minimal(), task("x", nothing), Slotted())
    assert as_tasks(wrap(tasks), source) == tasks


def test_none_means_no_tasks() -> None:
    assert as_tasks(None, source) == ()


@pytest.mark.parametrize("kind", [Minimal, Async, Duck, Static, Slotted, Computed])
def test_whatever_has_the_members_is_a_task(kind: type) -> None:
    tasks = (kind(), kind())
    assert as_tasks(tasks, source) == tasks


class Weekday(StrEnum):
    MONDAY = "monday"


def test_a_name_may_be_of_any_kind_of_string() -> None:
    assert len(as_tasks([Duck(Weekday.MONDAY), Duck("x")], source)) == 2


def test_the_first_task_with_something_to_await_is_known() -> None:
    first = Async()
    assert take([Minimal(), first, Static()], source)[1] is first
    assert take([task("x", nothing), awaited := task("y", later)], source)[1] is awaited
    assert take([Minimal(), task("x", nothing), Slotted()], source)[1] is None


class NoName:
    def pre(self) -> None: ...
    def perform(self) -> None: ...
    def post(self) -> None: ...


class NoPost:
    name = "x"

    def pre(self) -> None: ...
    def perform(self) -> None: ...


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (5, r"perform\(\) of the task 'x' must return None or an iterable of tasks, not 5"),
        (Minimal(), "must return None or an iterable of tasks, not <"),
        ([Minimal(), 5], r"perform\(\) of the task 'x' returned 5, which is not a task: it has no method pre\(\)"),
        ([NoPost()], r"it has no method post\(\)"),
        ([NoName()], "which is not a task: it has no name"),
        (
            [Duck("x"), Duck(5)],
            r"the name of the task <.*> that perform\(\) of the task 'x' returned must be a string, not 5",
        ),
        ([Minimal], "returned the class Minimal: return an instance of it"),
        ([SimpleNamespace(name="x", pre=1, perform=2, post=3)], r"it has no method pre\(\)"),
    ],
)
def test_anything_else_is_an_error_that_names_it(returned: object, message: str) -> None:
    with pytest.raises(NotTasks, match=message) as caught:
        as_tasks(returned, source)
    assert isinstance(caught.value, TypeError)


def test_an_awaitable_is_refused_and_not_left_unawaited() -> None:
    with pytest.raises(NotTasks, match=r"returned an awaitable: declare it with `async def`"):
        as_tasks(later(), source)


def test_an_async_generator_is_not_tasks() -> None:
    async def generate() -> Any:
        yield Minimal()

    with pytest.raises(NotTasks, match="must return None or an iterable of tasks, not <async_generator"):
        as_tasks(generate(), source)
