"""The plan `manifests` against a cluster in memory: order, requests, and what survives a crash."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop.library.manifests.applying import ObjectsFailed
from execloop.testing import converge, survive_failures
from tests.api_server import refuse
from tests.unit.library.manifests.applying import World, configmap

WISH = configmap("c", a="1"), configmap("b", {"execloop.dev/wave": "1"})
PRUNE: dict[str, Any] = {"prune": True}


def asked(plan: Any) -> list[str]:
    """The names of the tasks that a plan asks for, and the messages of its waits."""
    return [one.name if isinstance(one, Task) else str(one) for one in asyncio.run(plan.create())]


def test_it_converges_and_asks_for_nothing_then() -> None:
    world = World()
    converge(world.plan(*WISH))
    assert world.cluster.names() == {"b", "c"}
    assert asked(world.plan(*WISH)) == []


def test_tasks_come_in_the_order_of_the_waves() -> None:
    assert asked(World().plan(*reversed(WISH))) == ["create ConfigMap default/c", "create ConfigMap default/b"]


def test_drift_is_taken_back() -> None:
    world = World()
    converge(world.plan(*WISH))
    world.cluster.answer("PATCH", "/api/v1/namespaces/default/configmaps/c", {"data": {"a": "spoilt"}})
    assert asked(world.plan(*WISH)) == ["change ConfigMap default/c"]
    converge(world.plan(*WISH))
    assert world.cluster.data("c") == {"a": "1"}


def test_an_entry_for_each_object_is_in_the_inventory() -> None:
    context = World().context()
    converge(World().plan(*WISH, context=context))
    assert list(context.inventory) == ["ConfigMap/default/b", "ConfigMap/default/c"]


def test_an_inventory_that_would_be_too_large_is_refused_before_anything_is_applied() -> None:
    world = World()
    with pytest.raises(FatalError, match="several Plans"):
        converge(world.plan(*(configmap(f"object-{'x' * 200}-{number}") for number in range(200))))
    assert world.cluster.names() == set()


class TestRequests:
    objects = tuple(configmap(f"c-{number}") for number in range(1000))

    def test_a_thousand_objects_at_rest_cost_no_request(self) -> None:
        world = World()
        converge(world.plan(*self.objects))
        before = world.cluster.requests
        assert asked(world.plan(*self.objects)) == []
        assert world.cluster.requests == before

    def test_making_an_object_costs_two(self) -> None:
        world = World()
        converge(world.plan(*self.objects))
        assert world.cluster.requests <= 2 * len(self.objects) + 1  # and one for discovery

    def test_without_a_watch_rest_costs_one_list_of_the_kind(self) -> None:
        world = World(watched=False)
        converge(world.plan(*WISH))
        world.memory = {}
        asked(world.plan(*WISH))
        before = world.cluster.requests
        assert asked(world.plan(*WISH)) == []
        assert world.cluster.requests == before + 1

    def test_an_object_that_changed_is_compared_alone(self) -> None:
        world = World()
        converge(world.plan(*self.objects))
        world.cluster.answer("PATCH", "/api/v1/namespaces/default/configmaps/c-7", {"metadata": {"labels": {"x": "y"}}})
        before = world.cluster.requests
        assert asked(world.plan(*self.objects)) == []
        assert world.cluster.requests == before + 2

    def test_another_wish_is_compared_though_the_object_did_not_change(self) -> None:
        world = World()
        converge(world.plan(*WISH))
        assert asked(world.plan(configmap("c", a="2"), WISH[1])) == ["change ConfigMap default/c"]

    def test_now_and_then_every_object_is_compared_in_full(self) -> None:
        world = World()
        converge(world.plan(*WISH))
        before = world.cluster.requests
        assert asked(world.plan(*WISH, fullCheckEvery="0s")) == []
        assert world.cluster.requests == before + 2 * len(WISH)


class TestPruning:
    """The cases of kustomize-controller's own tests of its garbage collection, and ours."""

    @pytest.mark.parametrize(
        ("owned", "annotations", "parameters", "context", "left"),
        [
            (True, {}, {"prune": True}, {}, {"c"}),
            (True, {}, {"prune": False}, {}, {"c", "old"}),
            (True, {"execloop.dev/prune": "disabled"}, {"prune": True}, {}, {"c", "old"}),
            (False, {}, {"prune": True}, {}, {"c", "old"}),
            (True, {}, {"prune": True}, {"missing_sources": ("ConfigMap x",)}, {"c", "old"}),
        ],
        ids=["ours", "prune is off", "its annotation keeps it", "another's by now", "an optional source is missing"],
    )
    def test_what_left_the_list(
        self,
        owned: bool,
        annotations: dict[str, str],
        parameters: dict[str, Any],
        context: dict[str, Any],
        left: set[str],
    ) -> None:
        world = World(stored={"ConfigMap/default/old", "ConfigMap/default/gone-already"})
        world.cluster.put("old", owned=owned)
        world.cluster.objects["/api/v1/namespaces/default/configmaps/old"]["metadata"]["annotations"] = annotations
        converge(world.plan(configmap("c"), context=world.context(**context), **parameters))
        assert world.cluster.names() == left

    def test_more_than_allowed_ask_for_an_approval_all_of_them(self) -> None:
        world = World(stored={f"ConfigMap/default/old-{number}" for number in range(3)})
        for number in range(3):
            world.cluster.put(f"old-{number}", owned=True)
        made = asyncio.run(world.plan(configmap("c"), prune=True, maxDeletions=2).create())
        assert [getattr(one, "approval", False) for one in made] == [False, True, True, True]

    def test_the_limit_counts_over_the_whole_execution(self) -> None:
        world = World(stored={"ConfigMap/default/old"})
        context = world.context()
        world.state["deletions"] = {"execution": context.execution.id, "count": 2}
        world.cluster.put("old", owned=True)
        made = asyncio.run(world.plan(configmap("c"), context=context, prune=True, maxDeletions=2).create())
        assert made[-1].approval is True  # type: ignore[union-attr]

    def test_nothing_is_pruned_while_an_object_is_refused(self) -> None:
        world = World(stored={"ConfigMap/default/old"})
        world.cluster.put("old", owned=True)
        world.cluster.put("c")
        names = asked(world.plan(configmap("c"), prune=True, adopt="Never"))
        assert names == ["report 1 object that failed"]

    def test_a_deletion_that_admission_denies_is_an_error_and_leaves_the_entry(self) -> None:
        world = World(stored={"ConfigMap/default/old"})
        world.cluster.put("old", owned=True)
        context = world.context()
        made = asyncio.run(world.plan(configmap("c"), context=context, prune=True).create())
        asyncio.run(_perform(made[:-1]))
        world.cluster.before_next_request(lambda: refuse(403, "Forbidden", "policy 'keep' denied request"))
        with pytest.raises(ObjectsFailed, match="ConfigMap default/old cannot be deleted: policy 'keep' denied"):
            asyncio.run(_perform(made[-1:]))
        assert "ConfigMap/default/old" in context.inventory
        assert world.cluster.names() == {"c", "old"}

    def test_an_object_that_changed_since_it_was_seen_is_looked_at_again(self) -> None:
        world = World(stored={"ConfigMap/default/old"})
        world.cluster.put("old", owned=True)
        context = world.context()
        made = asyncio.run(world.plan(configmap("c"), context=context, prune=True).create())
        world.cluster.answer("PATCH", "/api/v1/namespaces/default/configmaps/old", {"data": {"x": "y"}})
        with pytest.raises(Exception, match="cannot be deleted"):
            asyncio.run(_perform(made))
        assert world.cluster.names() == {"c", "old"}
        assert "ConfigMap/default/old" in context.inventory


async def _perform(made: list[Any]) -> None:
    for one in made:
        await one.perform()


class TestCrashes:
    """The process may end before and after each call of the plan; its successor has only the cluster and the status."""

    def world(self) -> World:
        world = World()
        world.cluster.put("c", owned=True, a="spoilt")
        world.cluster.put("old", owned=True)  # applied by a process that ended before it wrote the inventory
        return world

    def test_creating_changing_and_pruning_survive_every_crash(self) -> None:
        def check(world: World) -> None:
            assert world.cluster.names() == {"b", "c"}
            assert world.cluster.data("c") == {"a": "1"}

        survival = survive_failures(
            lambda world: world.plan(*WISH, context=world.context(restarted=True), **PRUNE),
            world=self.world,
            check=check,
        )
        assert len(survival.points) >= 16

    def test_a_teardown_survives_every_crash(self) -> None:
        class TearingDown:
            def __init__(self, world: World) -> None:
                self._plan = world.plan(*WISH, context=world.context(restarted=True))

            async def create(self) -> Any:
                return await self._plan.teardown()

        def check(world: World) -> None:
            assert world.cluster.names() == set()

        survival = survive_failures(TearingDown, world=self.world, check=check)
        assert len(survival.points) >= 8


def test_a_teardown_deletes_in_the_reverse_order_and_leaves_what_is_not_ours() -> None:
    world = World()
    converge(world.plan(*WISH))
    world.cluster.put("people-s")
    world.stored = {"ConfigMap/default/b", "ConfigMap/default/c", "ConfigMap/default/people-s"}
    made = asyncio.run(world.plan(*WISH).teardown())
    assert [one.name for one in made if isinstance(one, Task)] == [
        "delete ConfigMap default/b",
        "delete ConfigMap default/c",
    ]


def test_an_object_that_did_not_change_is_judged_anew_when_the_rule_does() -> None:
    world = World()
    cel = [{"kind": "ConfigMap", "cel": "object.data.a == '2'"}]
    converge(world.plan(*WISH))
    assert asked(world.plan(WISH[0], readyWhen=cel)) == [
        "ConfigMap default/c: readyWhen is false: object.data.a == '2'"
    ]


def test_a_wave_waits_for_the_one_before() -> None:
    world = World()
    cel = [{"kind": "ConfigMap", "name": "c", "cel": "false"}]
    made = asyncio.run(world.plan(*WISH, readyWhen=cel).create())
    with pytest.raises(Wait, match="ConfigMap default/c: readyWhen is false: false"):
        asyncio.run(_perform(made))
    assert world.cluster.names() == {"c"}
