"""A step that runs a Job: once in each execution in which its check is false."""

import asyncio
import copy
import json
from typing import Any

from execloop._engine.execution import Execution
from execloop._plans.context import Context, connected
from execloop.library.steps.model import Parameters
from execloop.library.steps.plan import Steps
from execloop.testing import converge, survive_failures
from tests.unit.library.jobs.world import World

POD = {"spec": {"containers": [{"name": "main", "image": "x", "args": ["${{ values.night }}"]}]}}


def night(world: World) -> World:
    """The Job writes its report when it ends."""

    def fate(job: dict[str, Any]) -> str:
        [night] = job["spec"]["template"]["spec"]["containers"][0]["args"]
        world.config_maps["report"] = {"night": night}
        return ""

    world.fate = fate
    return world


class Operated:
    name = "steps"

    def __init__(self, world: World, night: str, **step: Any) -> None:
        self.world = world
        run = {
            "name": "run",
            "objects": {"report": {"apiVersion": "v1", "kind": "ConfigMap", "name": "report"}},
            "check": "objects.report.data.night == values.night",
            "do": {"job": {"template": POD}},
        }
        self.parameters = Parameters.model_validate({"steps": [run | step], "values": {"night": night}})
        self._state: dict[str, Any] | None = None

    async def create(self) -> Any:
        if self._state is not None:
            self.world.state = json.loads(json.dumps(self._state))
        self._state = copy.deepcopy(self.world.state)
        context = Context("nightly", "ns", "uid", execution=self.world.execution, state=self._state)
        world: Any = self.world
        return await Steps(self.parameters, connected(context, lambda: world, lambda: world)).create()


def test_a_job_runs_while_the_check_is_false_and_again_in_an_execution_in_which_it_is() -> None:
    world = night(World())
    converge(Operated(world, "1"), 30)
    converge(Operated(world, "1"), 30)
    assert world.created == ["run 1"]
    world.config_maps.clear()
    world.execution = Execution(id="second")
    converge(Operated(world, "1"), 30)
    assert world.created == ["run 1", "run 1"]


def test_without_a_check_a_job_runs_once_for_its_inputs() -> None:
    world = night(World())
    for execution, wanted in (("first", "1"), ("second", "1"), ("third", "2")):
        world.execution = Execution(id=execution)
        converge(Operated(world, wanted, check=None), 30)
    assert world.created == ["run 1", "run 2"]


def test_the_jobs_of_two_steps_do_not_stop_each_other() -> None:
    world = night(World())
    steps = [{"name": name, "do": {"job": {"template": POD}}} for name in ("a", "b")]
    operated = Operated(world, "1")
    operated.parameters = Parameters.model_validate({"steps": steps, "values": {"night": "1"}})
    converge(operated, 30)
    assert sorted(world.created) == ["a 1", "b 1"]


def test_it_survives_a_failure_at_each_call_and_the_job_runs_once() -> None:
    def check(world: World) -> None:
        assert world.created == ["run 1"]

    survival = survive_failures(lambda world: Operated(world, "1"), world=lambda: night(World()), check=check)
    assert len(survival.points) >= 8


def test_a_job_of_an_execution_that_was_lost_with_the_process_runs_once() -> None:
    world = night(World())
    operated = Operated(world, "1")
    [begun, *_] = asyncio.run(operated.create())
    asyncio.run(begun.perform())
    world.execution = Execution(id="second")  # and what the first one kept was never written
    converge(Operated(world, "1"), 30)
    assert world.created == ["run 1"]
