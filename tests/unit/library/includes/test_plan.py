"""The plan `includes`: which plans are asked, in which order, and what each keeps."""

import asyncio
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execloop import Wait, plan, task
from execloop._engine.errors import FatalError, InvalidParameters, PlanError, UnknownPlan
from execloop._engine.tasks import Task
from execloop._plans.context import Context, connected
from execloop._plans.definition import Definition, definition_of
from execloop._plans.inventory import Inventory
from execloop._plans.limits import Limits
from execloop.kube import Kube
from execloop.library.http import Http
from execloop.library.includes.child import IncludeError
from execloop.library.includes.plan import Includes
from execloop.library.manifests import Manifests
from execloop.library.steps.plan import Steps
from execloop.testing import converge, survive_failures
from tests.unit.library.steps.world import UID, World, configmap
from tests.volumes import put

DEFINITION = definition_of(Includes)
assert DEFINITION is not None


@plan("blocking", watches=[("v1", "Secret")])
def blocking(parameters: dict[str, Any], context: Context) -> Any:
    """A plan whose code is not asynchronous, and that keeps what it did in its state."""
    if parameters.get("fails"):
        raise OSError("the disk is full")
    if context.state.get("done") != parameters.get("want"):
        yield task("work", context.state.__setitem__, "done", parameters.get("want"))
    if parameters.get("waits"):
        raise Wait("for rain")


PLANS: dict[str, Any] = {
    "manifests": Manifests,
    "http": Http,
    "steps": Steps,
    "includes": Includes,
    "blocking": blocking,
}


def known(name: str) -> Definition:
    if name == "sql":
        raise PlanError("the plan 'sql' is not allowed in the namespace 'default'")
    found = definition_of(PLANS[name]) if name in PLANS else None
    if found is None:
        raise UnknownPlan(f"there is no plan {name!r}")
    return found


class Operated:
    """The plan as the operator drives it: made anew for each run, with what it kept."""

    name = "includes"
    limits = Limits((), ("127.0.0.1",))

    def __init__(self, world: World, *includes: dict[str, Any], restarted: bool = False, **parameters: Any) -> None:
        self.world, self._restarted = world, restarted
        self.raw = {"includes": list(includes), **parameters}
        self._made: Context | None = None

    def context(self) -> Context:
        world = self.world
        if self._made is not None:  # the last run has ended: what it kept is in the status
            world.state = json.loads(json.dumps(dict(self._made.state)))
            world.stored = self._made.inventory.snapshot()
        self._made = Context(
            "a",
            "default",
            UID,
            2,
            state=copy.deepcopy(world.state),
            inventory=Inventory(world.stored, recover=self._restarted or self._made is None),
            limits=self.limits,
            plans=known,
        )
        kube = Kube.for_plan(world.cluster.connection, namespace="default", name="a", uid=UID)
        return connected(self._made, lambda: kube, lambda: None)  # type: ignore[arg-type,return-value]

    def plan(self) -> Includes:
        assert DEFINITION is not None
        return Includes(DEFINITION.parse(self.raw, plans=known), self.context())

    async def create(self) -> Any:
        return await self.plan().create()

    def end(self) -> World:
        """Let the status have what the last run kept."""
        self.context()
        return self.world


class TornDown(Operated):
    async def create(self) -> Any:
        return await self.plan().teardown()


def include(name: str, *objects: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    return {"name": name, "plan": "manifests", "parameters": {"objects": list(objects), "prune": True, **parameters}}


def work(name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "plan": "blocking", "parameters": parameters}


def asked(operated: Operated) -> list[str]:
    return [one.name if isinstance(one, Task) else one.message for one in asyncio.run(operated.create())]


def refused(*includes: dict[str, Any]) -> str:
    """What the check of the parameters says: before any plan is made."""
    assert DEFINITION is not None
    with pytest.raises(InvalidParameters) as raised:
        DEFINITION.parse({"includes": list(includes)}, plans=known)
    return str(raised.value)


WEB, API = include("web", configmap("web")), include("api", configmap("api"))


class TestOrder:
    def test_in_sequence_a_plan_is_asked_once_those_before_it_have_nothing_to_do(self) -> None:
        world = World()
        assert asked(Operated(world, WEB, API)) == ["web: create ConfigMap default/web"]
        converge(Operated(world, WEB, API))
        assert world.names() == ["api", "web"]

    def test_a_wait_holds_up_those_after_it(self) -> None:
        assert asked(Operated(World(), work("rain", waits=True), API)) == ["rain: for rain"]

    def test_side_by_side_all_are_asked(self) -> None:
        assert asked(Operated(World(), WEB, work("b", want=1), order="parallel")) == [
            "web: create ConfigMap default/web",
            "b: work",
        ]

    def test_side_by_side_an_error_of_one_keeps_the_others_from_nothing(self) -> None:
        world = World()
        broken = work("broken", fails=True)
        assert asked(Operated(world, broken, WEB, order="parallel")) == [
            "web: create ConfigMap default/web",
            "report broken",
        ]
        with pytest.raises(IncludeError, match="broken: the disk is full"):
            asked(Operated(world, broken, order="parallel"))

    def test_an_error_names_the_include(self) -> None:
        with pytest.raises(IncludeError, match="broken: the disk is full"):
            asked(Operated(World(), broken := work("broken", fails=True), WEB))
        assert broken

    def test_includes_may_include(self) -> None:
        outer = {"name": "outer", "plan": "includes", "parameters": {"includes": [WEB, API], "order": "parallel"}}
        world = World()
        assert asked(Operated(world, outer)) == [
            "outer: web: create ConfigMap default/web",
            "outer: api: create ConfigMap default/api",
        ]
        operated = Operated(world, outer)
        converge(operated)
        operated.end()
        assert world.stored == ("outer:api:ConfigMap/default/api", "outer:web:ConfigMap/default/web")


class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (work("x") | {"plan": "missing"}, "parameters.includes.1.plan: there is no plan 'missing'"),
            (work("x") | {"plan": "sql"}, "parameters.includes.1.plan: the plan 'sql' is not allowed in the namespace"),
            (
                {"name": "x", "plan": "http", "parameters": {"url": "ftp://x", "expect": {}}},
                "parameters.includes.1.parameters.url: should be a URL",
            ),
            (
                {"name": "x", "plan": "http", "parameters": {"url": "https://a.example", "expct": {}}},
                "parameters.includes.1.parameters.expct: there is no such parameter; did you mean expect?",
            ),
            (
                {"name": "x", "plan": "includes", "parameters": {"includes": [work("y") | {"plan": "missing"}]}},
                "parameters.includes.1.parameters.includes.0.plan: there is no plan 'missing'",
            ),
        ],
    )
    def test_an_include_that_cannot_be_is_refused_with_its_place(self, given: Any, said: str) -> None:
        assert said in refused(work("first"), given)

    def test_all_that_is_wrong_is_said_at_once_also_within_includes(self) -> None:
        deep = {"name": "deep", "plan": "includes", "parameters": {"includes": [include("x", {"kind": "ConfigMap"})]}}
        said = refused(work("a") | {"plan": "missing"}, WEB, deep)
        assert "parameters.includes.0.plan: there is no plan 'missing'" in said
        assert "parameters.includes.2.parameters.includes.0.parameters.objects.0: apiVersion is missing" in said

    def test_a_teardown_is_not_blocked_by_a_name_that_a_newer_rule_refuses(self) -> None:
        assert DEFINITION is not None
        given = {"includes": [include("web", configmap("web"), older=True)]}
        (made,) = DEFINITION.parse(given, lenient=True, plans=known).included
        assert made.parameters.prune is True

    def test_includes_are_nested_three_deep_at_most(self) -> None:
        inner = work("x")
        for _ in range(4):
            inner = {"name": "x", "plan": "includes", "parameters": {"includes": [inner]}}
        assert "includes are nested deeper than 3" in refused(inner)

    def test_two_includes_of_one_name_are_refused(self) -> None:
        assert "two includes are called 'web'" in refused(WEB, WEB)

    def test_two_includes_that_want_one_object_are_refused(self) -> None:
        with pytest.raises(FatalError, match="web and other both want ConfigMap default/web: keep one of them"):
            asked(Operated(World(), WEB, include("other", configmap("web"))))


def test_objects_of_a_folder_are_watched_and_belong_to_the_include_that_reads_it(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": json.dumps(configmap("web"))})
    files = {"name": "files", "plan": "manifests", "parameters": {"folder": str(tmp_path)}}
    operated = Operated(World(), files, API)
    operated.limits = Limits((tmp_path,))
    assert ("v1", "ConfigMap", "default", "web") in operated.plan().watches
    twice = Operated(World(), files, WEB)
    twice.limits = Limits((tmp_path,))
    with pytest.raises(FatalError, match="files and web both want ConfigMap default/web: keep one of them"):
        asked(twice)


class TestKept:
    def test_each_include_has_a_state_of_its_own(self) -> None:
        operated = Operated(World(), work("a", want=1), work("b", want=2))
        converge(operated)
        assert operated.end().state == {"parts": {"a": {"done": 1}, "b": {"done": 2}}}

    def test_names_that_do_not_fit_are_refused_with_the_include_before_anything_is_applied(self) -> None:
        many = [f"web:ConfigMap/default/{'x' * 200}-{number}" for number in range(150)]
        world = World(stored=tuple(many))
        new = [configmap(f"{'y' * 200}-{number}") for number in range(20)]
        with pytest.raises(
            FatalError, match=r"^api: the names of 170 objects have 3\d{4} bytes, at most 32768 are kept"
        ):
            asked(Operated(world, WEB, include("api", *new), order="parallel"))
        assert world.names() == []

    def test_the_state_of_an_include_that_left_is_forgotten(self) -> None:
        world = World(state={"parts": {"a": {"done": 1}, "b": {"done": 2}}})
        operated = Operated(world, work("b", want=2))
        assert asked(operated) == []
        assert operated.end().state == {"parts": {"b": {"done": 2}}}

    def test_an_include_prunes_what_left_its_own_list_and_nothing_of_another(self) -> None:
        world = World()
        operated = Operated(world, include("web", configmap("w1"), configmap("w2")), API)
        converge(operated)
        operated.end()
        converge(Operated(world, include("web", configmap("w1")), API))
        assert world.names() == ["api", "w1"]

    def test_an_object_that_moves_to_another_include_stays(self) -> None:
        world = World()
        operated = Operated(world, include("web", configmap("a"), configmap("b")), API)
        converge(operated)
        operated.end()
        uid = (world.get("ConfigMap", "b") or {})["metadata"]["uid"]
        for restarted in (True, False):
            moved = Operated(
                world,
                include("web", configmap("a")),
                include("api", configmap("api"), configmap("b")),
                restarted=restarted,
            )
            converge(moved)
            moved.end()
        found = world.get("ConfigMap", "b") or {}
        assert (found["metadata"]["uid"], found["metadata"]["labels"]["execloop.dev/part"]) == (uid, "api")
        assert "api:ConfigMap/default/b" in world.stored

    @pytest.mark.parametrize(("prune", "left"), [(False, ["api", "web"]), (True, ["api"])])
    def test_objects_of_an_include_that_left_are_deleted_where_that_is_wanted(
        self, prune: bool, left: list[str]
    ) -> None:
        world = World()
        operated = Operated(world, WEB, API)
        converge(operated)
        operated.end()
        converge(Operated(world, API, prune=prune))
        assert world.names() == left

    def test_objects_of_nested_includes_that_left_are_deleted(self) -> None:
        world = World()
        operated = Operated(world, {"name": "outer", "plan": "includes", "parameters": {"includes": [WEB]}}, API)
        converge(operated)
        operated.end()
        converge(Operated(world, API, prune=True))
        assert world.names() == ["api"]

    def test_a_secret_goes_to_the_includes_that_name_it(self) -> None:
        given = [
            {"name": name, "plan": "steps", "secrets": secrets, "parameters": {"steps": [step]}}
            for name, secrets in (("a", ["token"]), ("b", []))
            for step in [{"name": "x", "check": "has(secrets.token)", "do": {"wait": "a token"}}]
        ]
        assert asked(Operated(World(), *given, token="horse", order="parallel")) == ["b: x: a token"]


def test_what_the_included_plans_watch_is_watched() -> None:
    made = Operated(World(), WEB, work("b")).plan()
    assert made.watches == (("v1", "ConfigMap", "default", "web"), ("v1", "Secret"))


def test_a_step_of_an_include_is_retried_by_both_names() -> None:
    operated = Operated(World(), WEB, API)
    context = replace(operated.context(), retry="web/copy")
    assert DEFINITION is not None
    made = Includes(DEFINITION.parse(operated.raw, plans=known), context)
    assert [child.context.retry for child in made._children] == ["copy", ""]


class TestCrashes:
    """The process may end before and after each call of the plan; its successor has only the cluster and the status."""

    def world(self) -> World:
        world = World()
        operated = Operated(world, include("web", configmap("w1"), configmap("w2")), API)
        converge(operated)
        return operated.end()

    def test_a_change_of_the_includes_survives_every_crash(self) -> None:
        wanted = include("web", configmap("w1", a="new")), include("db", configmap("d")), API

        def check(world: World) -> None:
            assert world.names() == ["api", "d", "w1"]
            assert world.data("w1") == {"a": "new"}

        survival = survive_failures(
            lambda world: Operated(world, *wanted, restarted=True), world=self.world, check=check
        )
        assert len(survival.points) >= 16

    def test_a_teardown_survives_every_crash(self) -> None:
        def check(world: World) -> None:
            assert world.names() == []

        survival = survive_failures(
            lambda world: TornDown(world, include("web", configmap("w1")), restarted=True),
            world=self.world,
            check=check,
        )
        assert len(survival.points) >= 8


def test_a_teardown_undoes_the_last_include_first() -> None:
    world = World()
    operated = Operated(world, WEB, API)
    converge(operated)
    operated.end()
    assert asked(TornDown(world, WEB, API)) == ["api: delete ConfigMap default/api"]
    converge(TornDown(world, WEB, API))
    assert world.names() == []
