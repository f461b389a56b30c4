"""What users may write, as mypy --strict sees it. Nothing here runs; an ignore that is not needed is an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_type

from execloop import (
    Again,
    Context,
    Duration,
    Execution,
    Executor,
    Options,
    Plan,
    Report,
    Task,
    Wait,
    WaitRecord,
    arun,
    plan,
    run,
    step,
    task,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from execloop._engine.events import Event


class ClassAttribute(Task):
    name = "class attribute"

    def perform(self) -> None: ...


class InstanceAttribute(Task):
    def __init__(self, name: str) -> None:
        self.name = name  # no super().__init__() needed

    def perform(self) -> list[ClassAttribute]:
        return [ClassAttribute()]


@dataclass
class Fields(Task):
    name: str
    size: int = 0

    def pre(self) -> None: ...
    def perform(self) -> Iterator[Task]:
        yield ClassAttribute()

    def post(self) -> None: ...


class Async(Task):
    name = "async"

    async def pre(self) -> None: ...
    async def perform(self) -> list[Task]:
        return [Fields("child")]

    async def post(self) -> None: ...


class Mixed(Task):
    name = "mixed"

    def pre(self) -> None: ...
    async def perform(self) -> None: ...


class Duck:
    """Knows nothing of execloop."""

    def __init__(self) -> None:
        self.name = "duck"

    def pre(self) -> None: ...
    def perform(self) -> None: ...
    def post(self) -> None: ...


class Computed:
    @property
    def name(self) -> str:
        return "computed"

    def pre(self) -> None: ...
    async def perform(self) -> Iterator[Frozen]:
        return iter([Frozen("child")])

    def post(self) -> None: ...


@dataclass(frozen=True)
class Frozen:
    name: str

    def pre(self) -> None: ...
    def perform(self) -> None: ...
    def post(self) -> None: ...


class NotATask:
    name = "no perform"


def accept_task(_: Task) -> None: ...
def accept_plan(_: Plan) -> None: ...


accept_task(ClassAttribute())
accept_task(InstanceAttribute("x"))
accept_task(Fields("x", 3))
accept_task(Async())
accept_task(Mixed())
accept_task(Duck())
accept_task(NotATask())  # type: ignore[arg-type]
accept_task(task("x", print))
Task()  # type: ignore[misc]


# -- task(), in its two forms


@task
def create_user(name: str, *, admin: bool = False) -> None: ...


@task("create group")
async def create_group(name: str) -> list[Task]:
    return [create_user(name, admin=True)]


assert_type(create_user("eve"), Task)
assert_type(create_group("staff"), Task)
create_user(5)  # type: ignore[arg-type]
create_user("eve", root=True)  # type: ignore[call-arg]
task("x", 5)  # type: ignore[call-overload]
task("x", print, pre=print, post=print)


def write(path: str, *, text: str = "") -> int:
    return len(path + text)


async def awrite(path: str) -> int:
    return len(path)


assert_type(task("x", write, "path", text="hello"), Task)
assert_type(task("x", awrite, "path"), Task)
assert_type(task("x", write, "path", pre=print), Task)
assert_type(task("x", write, "path", post=print, text="hello"), Task)
task("x", write)  # type: ignore[call-overload]
task("x", write, 5)  # type: ignore[call-overload]
task("x", write, "path", txt="hello")  # type: ignore[call-arg]


@task("drop table", detail=lambda table: f"DROP TABLE {table}", approval=True)
def drop(table: str) -> None: ...


@task("drop all", detail="DROP SCHEMA public")
def drop_all() -> None: ...


assert_type(drop("old"), Task)
drop(5)  # type: ignore[arg-type]
assert_type(drop_all(), Task)


class Detailed(Task):
    name = "detailed"
    detail = "what it does"
    approval = True

    def perform(self) -> list[Task | Wait]:
        return [drop("old"), Wait("the table")]


# -- plans


class Sync:
    def create(self) -> list[Fields]:
        return []


class AsyncPlan(Plan):
    async def create(self) -> Iterable[Task] | None:
        return None


class Ducks:
    def create(self) -> tuple[Computed | Frozen, ...]:
        return Computed(), Frozen("x")


class NoDucks:
    def create(self) -> list[NotATask]:
        return []


class Either:
    def create(self) -> Iterable[Task] | Awaitable[Iterable[Task] | None] | None:
        return None


class Waits:
    def create(self) -> Wait | None:
        return Wait("the pods", again_in=5)


class WaitsAmongTasks:
    def create(self) -> Iterator[Task | Wait]:
        yield Detailed()
        yield Wait("the pods")


class WrongPlan:
    def create(self) -> int:
        return 5


accept_plan(Sync())
accept_plan(AsyncPlan())
accept_plan(Either())
accept_plan(Ducks())
accept_plan(Waits())
accept_plan(WaitsAmongTasks())
accept_plan(NoDucks())  # type: ignore[arg-type]
accept_plan(WrongPlan())  # type: ignore[arg-type]
accept_plan(Sync)  # type: ignore[arg-type]


class Model:
    @classmethod
    def model_validate(cls, raw: object) -> Model:
        return cls()


@plan("with-parameters", parameters=Model)
class WithParameters:
    def __init__(self, parameters: Model, context: Context) -> None:
        self.parameters, self.context = parameters, context

    def create(self) -> list[Task]:
        return []


@plan
class Bare:
    def create(self) -> None: ...


@plan("named", parameters=Model)
async def named(parameters: Model) -> list[Task]:
    return []


accept_plan(Bare())


# -- @plan, in its forms


@plan
def alone() -> Iterator[Task]:
    yield drop("old")


@plan("with-a-name", watches=[("v1", "ConfigMap")], stuck_after="10m")
def with_a_name(parameters: dict[str, object], context: Context) -> Wait:
    context.state["seen"] = True
    return Wait("a name")


def undo(parameters: Model) -> list[Task]:
    return []


@plan("undone", parameters=Model, teardown=undo, stuck_after=None)
def undone(parameters: Model, context: Context) -> list[Task]:
    return []


@plan("class-with-all", parameters=Model, watches=(("v1", "Secret"),), stuck_after=300)
class WithAll(WithParameters): ...


accept_plan(alone)
assert_type(WithAll(Model(), Context("x")), WithAll)


def takes_text(parameters: str) -> list[Task]:
    return []


def returns_text() -> str:
    return ""


plan("wrong-model", parameters=Model)(takes_text)  # type: ignore[arg-type]
plan("wrong-result")(returns_text)  # type: ignore[arg-type]
plan("misspelt", same_work_run=3)  # type: ignore[call-overload]
Context("x", connect=print)  # type: ignore[call-arg]
assert_type(Duration("720h").total_seconds(), float)


# -- running


def listener(event: Event) -> None: ...


def use(execution: Execution) -> None:
    assert_type(run(Sync(), parallelism=2, execution_timeout=None, listeners=[listener]), Report)
    run(Sync, parallelism=2)  # type: ignore[arg-type]
    run(Sync(), retries=3)  # type: ignore[call-arg]
    executor = Executor(Options(errors_to_tolerate=None), listeners=(listener,))
    assert_type(executor.run(Sync(), execution=execution), Report)
    assert_type(executor.report.errors[0].exception, Exception)
    assert_type(executor.report.waits[0], WaitRecord)
    outcome = step(Sync(), execution, Options(sleep_between_runs=Duration("1s")))
    if isinstance(outcome, Again):
        assert_type(outcome.waiting, tuple[str, ...])
        assert_type(outcome.names, tuple[str, ...])
    callback: Callable[[], None] = executor.stop
    callback()


async def ause() -> None:
    assert_type(await arun(AsyncPlan()), Report)
    assert_type(await Executor().arun(Sync()), Report)
