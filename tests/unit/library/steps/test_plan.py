"""The plan `steps`: when a step is a task, in which order, and what it says while it waits."""

import asyncio
from typing import Any, ClassVar

import pytest

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task, detail_of, needs_approval
from execloop.library.steps.errors import StepError
from execloop.library.steps.plan import Steps
from execloop.library.steps.variables import needed
from execloop.testing import converge, survive_failures
from tests.unit.library.http.api import serving
from tests.unit.library.steps.world import Operated, TornDown, World, configmap, reading


def asked(operated: Operated) -> list[str]:
    """The names of the tasks that it asks for, and the messages of its waits."""
    return [one.name if isinstance(one, Task) else one.message for one in asyncio.run(operated.create())]


def tasks(operated: Operated) -> list[Task]:
    return [one for one in asyncio.run(operated.create()) if isinstance(one, Task)]


APPLY = {"name": "settings", "do": {"apply": configmap("settings", colour="blue")}}
COPIED = {
    "name": "copy",
    "needs": ["settings"],
    "objects": reading(source="ConfigMap/settings", copy="ConfigMap/copy"),
    "check": "objects.copy.data.colour == objects.source.data.colour",
    "do": {"apply": configmap("copy", colour="${{ objects.source.data.colour }}")},
}


class TestChecks:
    def test_a_step_without_a_check_is_a_task_until_its_objects_are_as_written(self) -> None:
        world = World()
        assert asked(Operated(world, APPLY)) == ["settings: create ConfigMap default/settings"]
        converge(Operated(world, APPLY))
        assert asked(Operated(world, APPLY)) == []
        world.cluster.answer("PATCH", "/api/v1/namespaces/default/configmaps/settings", {"data": {"colour": "red"}})
        assert asked(Operated(world, APPLY)) == ["settings: change ConfigMap default/settings"]

    def test_a_step_is_a_task_exactly_while_its_check_is_false(self) -> None:
        world = World()
        world.put("ConfigMap", "flag", data={"on": "no"})
        step = {
            "name": "switch",
            "objects": reading(flag="ConfigMap/flag"),
            "check": "objects.flag.data.on == 'yes'",
            "do": {"patch": {"target": "flag", "patch": {"data": {"on": "yes"}}}},
        }
        assert asked(Operated(world, step)) == ["switch: patch ConfigMap flag"]
        converge(Operated(world, step))
        assert (world.data("flag"), asked(Operated(world, step))) == ({"on": "yes"}, [])

    def test_an_object_that_does_not_exist_makes_a_check_false(self) -> None:
        world = World()
        world.put("ConfigMap", "settings", data={"colour": "blue"})
        alone = {**COPIED, "needs": []}
        assert asked(Operated(world, alone)) == ["copy: create ConfigMap default/copy"]

    def test_a_check_may_say_that_an_object_must_not_exist(self) -> None:
        world = World()
        gone = {
            "name": "gone",
            "objects": reading(old="ConfigMap/old"),
            "check": "!has(objects.old)",
            "do": {"delete": {"target": "old"}},
        }
        assert asked(Operated(world, gone)) == []
        world.put("ConfigMap", "old")
        converge(Operated(world, gone))
        assert world.names() == []

    def test_a_field_that_does_not_exist_yet_is_waited_for_and_nothing_is_done(self) -> None:
        world = World()
        world.put("ConfigMap", "settings")
        world.put("ConfigMap", "copy", data={"colour": "blue"})
        [message] = asked(Operated(world, {**COPIED, "needs": []}))
        assert message.startswith(
            "copy: check: `objects.copy.data.colour == objects.source.data.colour` gives no value"
        )
        assert message.endswith('Key not found in map : "data"')

    def test_a_check_that_stays_false_after_the_action_is_waited_for(self) -> None:
        world = World()
        world.put("ConfigMap", "flag", data={"on": "yes"})
        step = {
            "name": "switch",
            "objects": reading(flag="ConfigMap/flag"),
            "check": "objects.flag.data.on == 'seen'",
            "do": {"patch": {"target": "flag", "patch": {"data": {"on": "yes"}}}},
        }
        assert asked(Operated(world, step)) == [
            "switch: it is done, and its check does not hold yet: objects.flag.data.on == 'seen'"
        ]

    def test_another_error_of_a_check_is_one_of_its_step_and_keeps_the_others_from_nothing(self) -> None:
        world = World()
        world.put("ConfigMap", "flag", data={"n": "0"})
        broken = {
            "name": "broken",
            "objects": reading(flag="ConfigMap/flag"),
            "check": "1 / int(objects.flag.data.n) == 1",
            "do": {"wait": "never"},
        }
        with pytest.raises(StepError, match=r"broken: check: .*divide by zero"):
            asked(Operated(world, broken))
        assert asked(Operated(world, broken, APPLY)) == [
            "settings: create ConfigMap default/settings",
            "report 1 step that cannot be looked at",
        ]

    def test_a_wait_says_what_for(self) -> None:
        step = {"name": "ready", "check": "values.go", "do": {"wait": "${{ values.who }} to agree"}}
        assert asked(Operated(World(), step, values={"go": False, "who": "Ann"})) == ["ready: Ann to agree"]

    def test_the_time_is_at_hand(self) -> None:
        step = {"name": "late", "check": "timestamp(now) < timestamp('2020-01-01T00:00:00Z')", "do": {"wait": "time"}}
        assert asked(Operated(World(), step)) == ["late: time"]


class TestOrder:
    def test_a_step_is_looked_at_once_what_it_needs_holds(self) -> None:
        world = World()
        assert asked(Operated(world, COPIED, APPLY)) == ["settings: create ConfigMap default/settings"]
        converge(Operated(world, COPIED, APPLY))
        assert world.data("copy") == {"colour": "blue"}

    def test_steps_that_need_nothing_are_looked_at_side_by_side(self) -> None:
        other = {"name": "other", "do": {"apply": configmap("other")}}
        assert len(asked(Operated(World(), APPLY, other))) == 2

    def test_each_item_has_a_step_of_its_own(self) -> None:
        each = {
            "name": "each",
            "forEach": "values.teams.filter(t, t.on)",
            "do": {"apply": configmap("team-${{ item.name }}", place="${{ index }}")},
        }
        teams = [{"name": "a", "on": True}, {"name": "b", "on": False}, {"name": "c", "on": True}]
        world = World()
        operated = Operated(world, each, values={"teams": teams})
        assert asked(operated) == [
            "each[0]: create ConfigMap default/team-a",
            "each[1]: create ConfigMap default/team-c",
        ]

    def test_too_many_items_are_an_error(self) -> None:
        each = {"name": "each", "forEach": "values.n", "do": {"apply": configmap("x")}}
        with pytest.raises(StepError, match="each: forEach gives 101 items: at most 100"):
            asked(Operated(World(), each, values={"n": list(range(101))}))

    def test_too_many_steps_with_their_items_are_fatal(self) -> None:
        steps = [{"name": f"s{n}", "forEach": "values.n", "do": {"apply": configmap("x")}} for n in range(6)]
        with pytest.raises(FatalError, match=r"more than 500"):
            asked(Operated(World(), *steps, values={"n": list(range(100))}))

    def test_an_approval_is_asked_for_where_the_step_says_so(self) -> None:
        [one] = tasks(Operated(World(), {**APPLY, "approval": True}))
        assert needs_approval(one)


class TestSkips:
    wait: ClassVar[Any] = {"name": "wait", "check": "false", "do": {"wait": "a person"}}
    then: ClassVar[Any] = {**APPLY, "needs": ["wait"]}

    def test_a_step_that_is_skipped_holds_as_long_as_it_is_as_it_was(self) -> None:
        operated = Operated(World(skip="wait"), self.wait, self.then)
        converge(operated)
        operated.context()
        world = operated.world
        world.skip = ""
        assert asked(Operated(world, self.wait, self.then)) == []
        assert asked(Operated(world, {**self.wait, "do": {"wait": "another"}}, self.then)) == ["wait: another"]

    def test_a_retry_takes_it_back(self) -> None:
        operated = Operated(World(skip="wait"), self.wait, self.then)
        converge(operated)
        operated.context()
        world = operated.world
        world.skip, world.retry = "", "wait"
        assert asked(Operated(world, self.wait, self.then)) == ["wait: a person"]

    def test_a_name_that_is_not_a_step_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        asked(Operated(World(skip="nothing"), APPLY))
        assert "names 'nothing', which is not a step" in caplog.text


class TestActions:
    def test_annotations_and_labels(self) -> None:
        world = World()
        world.put("ConfigMap", "a", {"labels": {"app": "x"}, "annotations": {"old": "1"}})
        world.put("ConfigMap", "b", {"labels": {"app": "x"}})
        step = {
            "name": "mark",
            "objects": reading(all="ConfigMap?app=x"),
            "do": {"annotate": {"target": "all", "annotations": {"new": "${{ values.n }}", "old": "${{ null }}"}}},
        }
        assert asked(Operated(world, step, values={"n": "7"})) == [
            "mark: annotate ConfigMap a",
            "mark: annotate ConfigMap b",
        ]
        converge(Operated(world, step, values={"n": "7"}))
        assert [(world.get("ConfigMap", name) or {})["metadata"]["annotations"] for name in "ab"] == [{"new": "7"}] * 2

    def test_what_is_to_be_changed_and_does_not_exist_is_waited_for(self) -> None:
        step = {
            "name": "mark",
            "objects": reading(it="ConfigMap/a"),
            "do": {"annotate": {"target": "it", "labels": {"a": "b"}}},
        }
        assert asked(Operated(World(), step)) == ["mark: it does not exist yet"]

    def test_a_restart_happens_once_an_execution(self) -> None:
        world = World()
        world.put("Deployment", "web", spec={"template": {"metadata": {}}})
        step = {
            "name": "again",
            "objects": reading(web="Deployment/web"),
            "check": "has(objects.web.metadata.annotations)",
            "do": {"restart": {"target": "web"}},
        }
        operated = Operated(world, step)
        assert asked(operated) == ["again: Deployment web is restarted once that is recorded"]
        [one] = tasks(operated)
        assert one.name == "again: restart Deployment web"
        asyncio.run(one.perform())  # type: ignore[arg-type]
        assert all("restart" not in each for each in asked(operated))
        world.execution = "second"
        assert asked(Operated(world, step)) == ["again: Deployment web is restarted once that is recorded"]

    def test_a_delete_takes_the_object_that_was_read_and_no_other(self) -> None:
        world = World()
        world.put("ConfigMap", "old")
        step = {"name": "gone", "objects": reading(old="ConfigMap/old"), "do": {"delete": {"target": "old"}}}
        [one] = tasks(Operated(world, step))
        world.cluster.answer("PATCH", "/api/v1/namespaces/default/configmaps/old", {"data": {"a": "new"}})
        with pytest.raises(Exception, match="ConfigMap old was changed meanwhile"):
            asyncio.run(one.perform())  # type: ignore[arg-type]
        assert world.names() == ["old"]

    def test_a_selector_that_comes_to_nothing_selects_nothing(self) -> None:
        world = World()
        world.put("ConfigMap", "a")
        step = {
            "name": "gone",
            "objects": reading(old="ConfigMap?${{ values.which }}"),
            "do": {"delete": {"target": "old"}},
        }
        with pytest.raises(StepError, match=r"gone: objects\.old: its selector is empty"):
            asked(Operated(world, step, values={"which": " "}))

    def test_more_objects_than_an_expression_may_have_are_refused(self) -> None:
        world = World()
        for number in range(501):
            world.put("ConfigMap", f"c{number}", {"labels": {"app": "x"}})
        step = {"name": "all", "objects": reading(all="ConfigMap?app=x"), "do": {"delete": {"target": "all"}}}
        with pytest.raises(StepError, match=r"all: objects\.all: over 500 objects have these labels"):
            asked(Operated(world, step))

    def test_a_resource_of_an_api_and_a_probe_of_it(self) -> None:
        with serving() as api:
            world = World()
            create = {"name": "team", "do": {"http": {"url": f"{api.url}/teams/blue", "expect": {"size": 3}}}}
            ready = {
                "name": "ready",
                "needs": ["team"],
                "check": "probes.team.status == 200 && probes.team.body.size == values.size",
                "do": {"wait": "the team"},
            }
            probes = {"team": {"url": f"{api.url}/teams/blue", "token": "${{ secrets.token }}"}}
            operated = Operated(world, create, ready, probes=probes, values={"size": 3}, token="horse-battery")
            assert asked(operated) == [f"team: create {api.url}/teams/blue"]
            converge(operated)
            assert api.objects == {"/teams/blue": {"size": 3}}
            assert api.headers[-1]["Authorization"] == "Bearer horse-battery"

    def test_a_server_that_is_not_reachable_has_the_status_0(self) -> None:
        probes = {"it": {"url": "http://127.0.0.1:9/"}}
        step = {"name": "up", "check": "probes.it.status == 200", "do": {"wait": "it to be up"}}
        assert asked(Operated(World(), step, probes=probes)) == ["up: it to be up"]

    def test_an_address_that_is_not_allowed_is_an_error(self) -> None:
        probes = {"it": {"url": "http://169.254.169.254/"}}
        step = {"name": "up", "check": "probes.it.status == 200", "do": {"wait": "it to be up"}}
        with pytest.raises(StepError, match=r"up: probes\.it: .* is an internal address"):
            asked(Operated(World(), step, probes=probes))

    def test_what_expressions_give_is_checked_again(self) -> None:
        step = {"name": "bad", "do": {"http": {"url": "https://a.example/x", "timeout": "${{ values.t }}"}}}
        with pytest.raises(StepError, match=r"bad: do\.http: timeout: "):
            asked(Operated(World(), step, values={"t": "soon"}))


def test_the_value_of_a_secret_that_is_read_is_in_no_message() -> None:
    world = World()
    world.put("Secret", "db", data={"password": "aG9yc2UtYmF0dGVyeQ=="})
    step = {
        "name": "leak",
        "objects": reading(db="Secret/db"),
        "do": {"wait": "${{ objects.db.data.password }} ${{ values.plain }}"},
    }
    step["check"] = "false"
    assert asked(Operated(world, step, values={"plain": "horse-battery"})) == ["leak: *** ***"]


def test_the_value_of_a_secret_that_is_read_is_in_no_detail() -> None:
    world = World()
    world.put("Secret", "db", data={"password": "aG9yc2UtYmF0dGVyeQ=="})
    step = {
        "name": "leak",
        "objects": reading(db="Secret/db"),
        "do": {"apply": configmap("copy", password="${{ objects.db.data.password }}")},
    }
    [one] = tasks(Operated(world, step))
    assert 'data.password: "***"' in detail_of(one)


class TestCrashes:
    """The process may end before and after each call of the plan; its successor has only the cluster and the status."""

    steps: tuple[Any, ...] = (
        APPLY,
        COPIED,
        {
            "name": "old",
            "needs": ["copy"],
            "objects": reading(old="ConfigMap/old", flag="ConfigMap/flag"),
            "check": "!has(objects.old) && objects.flag.data.on == 'yes'",
            "do": {"delete": {"target": "old"}},
        },
        {
            "name": "flag",
            "objects": reading(flag="ConfigMap/flag"),
            "check": "objects.flag.data.on == 'yes'",
            "do": {"patch": {"target": "flag", "patch": {"data": {"on": "yes"}}}},
        },
    )

    def world(self) -> World:
        world = World()
        world.put("ConfigMap", "old")
        world.put("ConfigMap", "flag", data={"on": "no"})
        return world

    def test_a_procedure_survives_every_crash(self) -> None:
        def check(world: World) -> None:
            assert world.names() == ["copy", "flag", "settings"]

        survival = survive_failures(lambda world: Operated(world, *self.steps), world=self.world, check=check)
        assert len(survival.points) >= 30

    def test_a_teardown_survives_every_crash(self) -> None:
        def world() -> World:
            made = self.world()
            operated = Operated(made, *self.steps)
            converge(operated)
            operated.context()
            return made

        def check(world: World) -> None:
            assert world.names() == ["flag"]

        survival = survive_failures(lambda world: TornDown(world, *self.steps), world=world, check=check)
        assert len(survival.points) >= 12


def test_a_teardown_deletes_what_the_last_step_applied_first() -> None:
    world = World()
    operated = Operated(world, APPLY, COPIED)
    converge(operated)
    operated.context()
    assert world.stored == ("ConfigMap/default/copy", "ConfigMap/default/settings")
    assert asked(TornDown(world, APPLY, COPIED)) == ["delete ConfigMap default/copy"]
    converge(TornDown(world, APPLY, COPIED))
    assert world.names() == []


def test_a_look_reads_each_object_once_and_only_what_a_step_needs() -> None:
    world = World()
    world.put("ConfigMap", "a", data={"x": "1"})
    steps = [{"name": f"s{n}", "check": "objects.a.data.x == '1'", "do": {"wait": "x"}} for n in range(5)]
    operated = Operated(world, *steps, objects=reading(a="ConfigMap/a", unused="ConfigMap/b"))
    assert asked(operated) == []
    before = world.cluster.requests
    assert asked(operated) == []
    assert world.cluster.requests - before == 1


def test_objects_are_watched_whose_names_are_known_before_anything_is_read() -> None:
    each = {"name": "each", "forEach": "values.teams", "do": {"apply": configmap("team-${{ item }}")}}
    read = {
        "name": "read",
        "objects": reading(a="ConfigMap/a"),
        "do": {"apply": configmap("${{ objects.a.data.name }}")},
    }
    operated = Operated(World(), APPLY, each, read, values={"teams": ["x", "y"]})
    made = Steps(operated.parameters, operated.context())
    assert [name for *_, name in made.watches] == ["settings", "team-x", "team-y"]


def test_objects_that_are_only_read_are_watched_by_name_in_the_plans_own_namespace() -> None:
    objects = reading(
        own="ConfigMap/settings", read="ConfigMap/read", unused="ConfigMap/unused", target="ConfigMap/target",
        listed="ConfigMap?a=b", hidden="ConfigMap/${{ secrets.token }}", team="ConfigMap/${{ item }}",
    )  # fmt: skip
    objects["far"] = {**objects["read"], "namespace": "other"}
    names = "own", "read", "listed", "hidden", "far"
    check = " && ".join(f"has(objects.{name})" for name in names)
    one = {"name": "one", "check": check, "objects": objects, "do": {"delete": {"target": "target"}}}
    each = {
        "name": "each",
        "forEach": ["x", "y"],
        "check": "has(objects.team)",
        "objects": {"team": objects.pop("team")},
        "do": {"wait": "${{ item }}"},
    }
    sql = {"name": "sql", "do": {"sql": {"dsn": "sqlite:////x", "configMap": "migrations"}}}
    operated = Operated(World(), APPLY, one, each, sql, token="horse")
    made = Steps(operated.parameters, operated.context())
    assert {name for *_, name in made.reads} == {"read", "target", "x", "y", "migrations"}


def test_a_teardown_deletes_the_objects_of_all_items_at_once() -> None:
    each = {"name": "each", "needs": ["settings"], "forEach": ["x", "y"], "do": {"apply": configmap("t-${{ item }}")}}
    world = World()
    operated = Operated(world, APPLY, each)
    converge(operated)
    operated.context()
    assert asked(TornDown(world, APPLY, each)) == ["delete ConfigMap default/t-x", "delete ConfigMap default/t-y"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("values.a == 1", ["a"]),
        ("values['b'] == values.?a.orValue(1)", ["a", "b"]),
        ("has(values.a)", ["a"]),
        ("item.values.a == 1", []),
        ("size(values) == 2", ["a", "b", "c"]),
        ("values[item] == 1", ["a", "b", "c"]),
        ("values.all(k, true)", ["a", "b", "c"]),
        ("'a' in values", ["a", "b", "c"]),
    ],
)
def test_an_expression_is_given_the_values_that_it_reads(text: str, expected: list[str]) -> None:
    assert sorted(needed("values", [text], dict.fromkeys("abc", 1))) == expected
