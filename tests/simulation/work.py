"""What plans work on in a simulated life, and the plans: things that ought to have a value, set one task each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from execloop import Context, FatalError, Task, plan, task
from execloop._plans.definition import definition_of
from execloop._plans.registry import Registered, Registry
from tests.simulation.processes import current, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.simulation.referee import Referee

__all__ = ["Asked", "Inputs", "Site", "Sites", "asks_for_approval", "inputs", "is_guarded", "registry"]

ERRORS: dict[str, Callable[[str], BaseException]] = {
    "error": OSError,
    "fatal": FatalError,
    "exit": SystemExit,
    "cancelled": asyncio.CancelledError,
}


@dataclass
class Site:
    """What the Plan of one name works on; it outlives Plans and processes."""

    things: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Things whose task fails for now, and how; `create` among them."""
    slow: float = 0.0
    """Seconds that a task takes."""


Inputs: TypeAlias = frozenset[tuple[str, str]]


def inputs(parameters: dict[str, Any]) -> Inputs:
    """What identifies parameters."""
    return frozenset((key, str(value)) for key, value in parameters.items())


class Asked(NamedTuple):
    """Who asks a plan, about what."""

    site: str
    uid: str
    generation: int
    execution: str
    parameters: dict[str, Any]
    teardown: bool

    @property
    def inputs(self) -> Inputs:
        return inputs(self.parameters)

    def __str__(self) -> str:
        return f"{self.site} {' '.join(f'{key}={value}' for key, value in sorted(self.inputs))}"


class Sites:
    def __init__(self, referee: Referee) -> None:
        self.referee = referee
        self.of: dict[str, Site] = {}

    def site(self, name: str) -> Site:
        return self.of.setdefault(name, Site())

    def missing(self, asked: Asked) -> list[str]:
        """The things that are not as they should be, of the first layer that has any."""
        site = self.site(asked.site)
        if asked.teardown:
            return sorted(site.things)
        count, layers = int(asked.parameters.get("things", 2)), int(asked.parameters.get("layers", 1))
        wanted = str(asked.parameters.get("value"))
        found = [n for n in range(count) if site.things.get(f"thing-{n}") != wanted]
        first = min((n % layers for n in found), default=0)
        return [f"thing-{n}" for n in found if n % layers == first]

    def wrong(self, name: str, parameters: dict[str, Any]) -> list[str]:
        """Every thing that is not as these parameters would have it."""
        count, wanted = int(parameters.get("things", 2)), str(parameters.get("value"))
        return [f"thing-{n}" for n in range(count) if self.site(name).things.get(f"thing-{n}") != wanted]

    def look(self, asked: Asked) -> list[str]:
        """What `create()` does."""
        self._alive()
        self.referee.asked(asked)
        if how := self.site(asked.site).broken.get("create"):
            self.referee.failed(asked, "create", counts=how not in {"fatal", "exit"})
            raise self._error(how, asked, "create")
        missing = self.missing(asked)
        self.referee.answered(asked, missing)
        return missing

    def begin(self, asked: Asked, thing: str) -> float:
        """What a task does before it takes its time."""
        self._alive()
        self.referee.begins(asked, thing)
        return self.site(asked.site).slow

    def end(self, asked: Asked, thing: str) -> None:
        """And then."""
        self._alive()
        self.referee.ends(asked, thing)
        site = self.site(asked.site)
        if how := site.broken.get(thing):
            self.referee.failed(asked, thing, counts=how != "exit")
            raise self._error(how, asked, thing)
        if asked.teardown:
            site.things.pop(thing, None)
        else:
            site.things[thing] = str(asked.parameters.get("value"))

    def _error(self, how: str, asked: Asked, what: str) -> BaseException:
        secret = asked.parameters.get("password", "")
        return ERRORS[how](f"{what} of {asked.site} is broken: {secret}")

    def _alive(self) -> None:
        process = current()
        assert process is not None
        process.check()


def is_guarded(parameters: Mapping[str, Any], thing: str) -> bool:
    """Whether its task asks for an approval of its own."""
    return thing == "thing-0" and bool(parameters.get("guarded"))


def asks_for_approval(spec: Mapping[str, Any]) -> bool:
    """Whether some of a Plan's tasks wait for a person."""
    return spec.get("approval") == "Manual" or bool(spec.get("parameters", {}).get("guarded"))


def guarded(about: Asked, made: Task) -> Task:
    setattr(made, "approval", is_guarded(about.parameters, made.name))  # noqa: B010 - no member that a task must have
    return made


def registry(sites: Sites, version: str = "1") -> Registry:
    return Registry(_registered(_plans(sites), version))


def _registered(made: Iterable[object], version: str) -> Iterable[Registered]:
    for one in made:
        definition = definition_of(one)
        assert definition is not None
        yield Registered(definition, "simulation", version)


def _plans(sites: Sites) -> list[object]:
    return [_blocking(sites), _asynchronous(sites)]


def _asked(parameters: Any, context: Context, *, teardown: bool) -> Asked:
    name, execution = f"{context.namespace}/{context.name}", context.execution.id
    return Asked(name, context.uid, context.generation, execution, dict(parameters), teardown)


def _blocking(sites: Sites) -> object:
    @plan("works")
    class Works:
        def __init__(self, parameters: dict[str, Any], context: Context) -> None:
            self._about, self._undo = (_asked(parameters, context, teardown=undo) for undo in (False, True))

        def create(self) -> list[Task]:
            return self._tasks(self._about)

        def teardown(self) -> list[Task]:
            return self._tasks(self._undo)

        def _tasks(self, about: Asked) -> list[Task]:
            def perform(thing: str) -> None:
                if seconds := sites.begin(about, thing):
                    pause(seconds)
                sites.end(about, thing)

            return [guarded(about, task(thing, partial(perform, thing))) for thing in sites.look(about)]

    return Works


def _asynchronous(sites: Sites) -> object:
    @plan("works-async")
    class WorksAsync:
        def __init__(self, parameters: dict[str, Any], context: Context) -> None:
            self._about, self._undo = (_asked(parameters, context, teardown=undo) for undo in (False, True))

        async def create(self) -> list[Task]:
            return self._tasks(self._about)

        async def teardown(self) -> list[Task]:
            return self._tasks(self._undo)

        def _tasks(self, about: Asked) -> list[Task]:
            async def perform(thing: str) -> None:
                seconds = sites.begin(about, thing)
                try:
                    await asyncio.sleep(seconds)
                except asyncio.CancelledError:
                    sites.referee.ends(about, thing)
                    raise
                sites.end(about, thing)

            return [guarded(about, task(thing, partial(perform, thing))) for thing in sites.look(about)]

    return WorksAsync
