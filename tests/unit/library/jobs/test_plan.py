"""The plan `jobs`: what runs, when, how often, and what is remembered of it."""

from dataclasses import replace
from typing import Any

import pytest

from execloop import FatalError, ToleranceExceeded
from execloop.testing import converge, survive_failures
from tests.unit.library.jobs.world import Fate, Operated, Undone, World, step


def converged(operated: Operated, **options: Any) -> World:
    converge(operated, 60, **options)
    return operated.world


def failing(*steps: str, code: int = 3) -> World:
    return World(lambda job: code if job["metadata"]["labels"]["execloop.dev/step"] in steps else "")


class TestOrder:
    def test_a_step_runs_after_those_that_it_depends_on(self) -> None:
        world = converged(Operated(World(), step("c", dependsOn=["b"]), step("b", dependsOn=["a"]), step("a")))
        assert world.created == ["a", "b", "c"]

    def test_a_step_whose_condition_is_false_is_skipped_and_those_after_it_run(self) -> None:
        skipped = step("b", dependsOn=["a"], when="steps.a.outputs.changed == true")
        last = step("c", "${{ steps.b.state }}", dependsOn=["b"])
        world = converged(
            Operated(World(lambda _job: '{"changed": false}'), step("a", outputs="TerminationMessage"), skipped, last)
        )
        assert world.created == ["a", "c skipped"]

    def test_for_each_runs_a_step_once_for_each_item_and_gives_a_list_of_outputs(self) -> None:
        each = step(
            "b",
            "${{ item.name }}",
            "${{ index }}",
            dependsOn=["a"],
            forEach="steps.a.outputs",
            outputs="TerminationMessage",
        )
        last = step("c", "${{ steps.b.outputs.map(o, o.size) }}", dependsOn=["b"])

        def fate(job: Any) -> Fate:
            name = job["metadata"]["labels"]["execloop.dev/step"]
            return '[{"name": "x"}, {"name": "y"}]' if name == "a" else '{"size": 3}'

        world = converged(Operated(World(fate), step("a", outputs="TerminationMessage"), each, last))
        assert world.created == ["a", "b x 0", "b y 1", "c [3, 3]"]

    def test_the_output_in_a_config_map_is_read(self) -> None:
        world = World()
        world.config_maps["report"] = {"rows": "12"}
        first = step("a", outputs={"configMap": "report"})
        assert converged(Operated(world, first, step("b", "${{ steps.a.outputs.rows }}", dependsOn=["a"]))).created == [
            "a",
            "b 12",
        ]

    @pytest.mark.parametrize(("of_all", "of_step"), [(3, None), (10, 3), (3, 10)])
    def test_no_more_run_at_a_time_than_allowed(self, of_all: int, of_step: int | None) -> None:
        most = 0
        world = World()

        def fate(_job: Any) -> Fate:
            nonlocal most
            most = max(most, sum(not each["status"] for each in world.jobs.values()))
            return ""

        world.fate = fate
        converged(Operated(world, step("a", forEach=list(range(10)), parallelism=of_step), parallelism=of_all))
        assert (most, len(world.created)) == (3, 10)


class TestIdentity:
    def test_a_job_that_expired_does_not_run_again(self) -> None:
        operated = Operated(World(), step("a"), step("b", dependsOn=["a"]))
        world = converged(operated)
        world.expire()
        assert world.jobs == {}
        world.execution = replace(world.execution, id="second")
        assert converged(operated).created == ["a", "b"]

    def test_at_rest_it_asks_nothing(self) -> None:
        operated = Operated(World(), step("a"))
        world = converged(operated)
        world.requests.clear()
        assert converged(operated).requests == []

    def test_a_changed_input_runs_that_step_and_those_after_it(self) -> None:
        world = converged(Operated(World(), step("a"), step("b", dependsOn=["a"]), step("c", dependsOn=["b"])))
        changed = Operated(world, step("a"), step("b", "new", dependsOn=["a"]), step("c", dependsOn=["b"]))
        assert converged(changed).created[3:] == ["b new", "c"]

    def test_a_new_item_runs_alone_and_then_what_depends_on_all_of_them(self) -> None:
        after = step("b", dependsOn=["a"])
        world = converged(Operated(World(), step("a", "${{ item }}", forEach=[1, 2]), after))
        converged(Operated(world, step("a", "${{ item }}", forEach=[1, 2, 3]), after))
        assert world.created[3:] == ["a 3", "b"]

    def test_the_same_item_twice_runs_twice(self) -> None:
        assert converged(Operated(World(), step("a", "${{ item }}", forEach=[1, 1]))).created == ["a 1", "a 1"]

    def test_what_does_not_change_the_work_runs_nothing_again(self) -> None:
        world = converged(Operated(World(), step("a")))
        assert converged(Operated(world, step("a", retries=3, onFailure="continue"), keepFinished="2h")).created == [
            "a"
        ]

    def test_where_the_status_was_lost_the_jobs_that_still_exist_count(self) -> None:
        operated = Operated(World(), step("a"), step("b", dependsOn=["a"]))
        world = converged(operated)
        world.state.clear()
        operated._state = None
        assert converged(operated).created == ["a", "b"]

    def test_a_retry_runs_one_step_and_those_after_it_again_once(self) -> None:
        operated = Operated(World(), step("a"), step("b", dependsOn=["a"]), step("c", dependsOn=["b"]))
        world = converged(operated)
        world.execution, world.retry = replace(world.execution, id="second"), "b"
        for _ in range(2):
            assert converged(operated).created == ["a", "b", "c", "b", "c"]

    def test_a_step_that_is_skipped_counts_as_done_until_its_inputs_change(self) -> None:
        steps = [step("a"), step("b", "${{ steps.a.state }}", dependsOn=["a"])]
        world = failing("a")
        with pytest.raises(FatalError):
            converged(Operated(world, *steps))
        world.execution, world.skip = replace(world.execution, id="second"), "a"
        assert converged(Operated(world, *steps)).created == ["a", "b skipped"]
        world.execution, world.skip, world.fate = replace(world.execution, id="third"), "", lambda _job: ""
        assert converged(Operated(world, *steps)).created == ["a", "b skipped"]
        assert converged(Operated(world, step("a", "new"), steps[1])).created[2:] == ["a new", "b done"]

    def test_a_retry_of_what_is_no_step_runs_nothing(self) -> None:
        operated = Operated(World(), step("a"))
        world = converged(operated)
        world.execution, world.retry = replace(world.execution, id="second"), "nosuch"
        assert converged(operated).created == ["a"]

    def test_a_job_of_earlier_inputs_is_stopped_before_the_step_runs_again(self) -> None:
        world = World(lambda job: "" if "new" in job["spec"]["template"]["spec"]["containers"][0]["args"] else None)
        with pytest.raises(AssertionError, match="it waits: a runs"):
            converge(Operated(world, step("a", "old")), 3)
        assert converged(Operated(world, step("a", "new"))).created == ["a old", "a new"]
        assert "DELETE Job" in world.requests

    def test_a_job_may_expire_only_after_its_result_is_in_the_status(self) -> None:
        world = World()
        operated = Operated(world, step("a"), step("b", dependsOn=["a"]))
        converged(operated)
        assert {job["spec"]["ttlSecondsAfterFinished"] for job in world.jobs.values()} == {3600}
        patched = [each for each in world.requests if each == "PATCH Job"]
        assert len(patched) == 2


class TestFailures:
    def test_a_failure_costs_an_error_and_the_step_is_tried_again(self) -> None:
        world = World()
        world.fate = lambda job: "" if job["metadata"]["labels"]["execloop.dev/attempt"] == "2" else 1
        assert converged(Operated(world, step("a", retries=2)), errors_to_tolerate=2).created == ["a"] * 3

    def test_the_budget_of_the_plan_bounds_the_retries(self) -> None:
        with pytest.raises(ToleranceExceeded):
            converged(Operated(failing("a"), step("a", retries=5)), errors_to_tolerate=2)

    def test_the_cause_is_the_exit_code_and_the_end_of_the_log(self) -> None:
        with pytest.raises(FatalError, match=r"^a failed: exit code 3: line 1 / it broke$"):
            converged(Operated(failing("a"), step("a")))

    def test_nothing_new_begins_after_a_failure_that_stops(self) -> None:
        world = failing("a")
        with pytest.raises(FatalError):
            converged(Operated(world, step("a"), step("b", dependsOn=["a"]), step("c", dependsOn=["b"])))
        assert world.created == ["a"]

    def test_after_a_failure_that_continues_later_steps_see_it(self) -> None:
        first = step("a", forEach=[1, 2], onFailure="continue")
        world = converged(Operated(failing("a"), first, step("b", "${{ steps.a.state }}", dependsOn=["a"])))
        assert world.created == ["a", "a", "b failed"]

    def test_what_is_done_is_undone_in_reverse_and_the_message_says_so(self) -> None:
        steps = [
            step("a", compensate=step("x", "undo")),
            step("b", dependsOn=["a"], compensate=step("x", "undo")),
            step("c", dependsOn=["b"]),
        ]
        for each in steps[:2]:
            each["compensate"].pop("name")
        world = failing("c")
        with pytest.raises(FatalError, match=r"c failed: exit code 3: .*; undone: a, b$"):
            converged(Operated(world, *steps))
        assert world.created == ["a", "b", "c", "b undo", "a undo"]

        world.fate = lambda _job: ""
        world.execution = replace(world.execution, id="second")
        assert converged(Operated(world, *steps)).created[5:] == ["a", "b", "c"]

    def test_a_new_execution_tries_again_what_failed(self) -> None:
        world = failing("b")
        operated = Operated(world, step("a"), step("b", dependsOn=["a"]))
        with pytest.raises(FatalError):
            converged(operated)
        world.fate = lambda _job: ""
        world.execution = replace(world.execution, id="second")
        assert converged(operated).created == ["a", "b", "b"]

    def test_a_job_that_a_person_deleted_is_a_failed_attempt(self) -> None:
        world = World(lambda _job: None)
        operated = Operated(world, step("a"))
        with pytest.raises(AssertionError, match="it waits: a runs"):
            converge(operated, 2)
        world.jobs.clear()
        with pytest.raises(FatalError, match="its Job was deleted before it ended"):
            converged(operated)

    def test_an_output_that_does_not_fit_is_a_failure_that_says_what_to_do(self) -> None:
        with pytest.raises(FatalError, match="let the step write a ConfigMap"):
            converged(Operated(World(lambda _job: "x" * 16_000), step("a", outputs="TerminationMessage")))

    def test_a_job_of_that_name_that_is_not_the_plans_is_not_taken_over(self) -> None:
        world = World()
        operated = Operated(world, step("a"))
        converged(operated)
        (job,) = world.jobs.values()
        job["metadata"]["labels"]["execloop.dev/graph"] = "another"
        world.state.clear()
        operated._state = None
        with pytest.raises(ToleranceExceeded, match="is not this Plan's"):
            converged(operated, errors_to_tolerate=0)


class TestTeardown:
    def test_it_stops_what_runs_and_undoes_what_is_done_in_reverse(self) -> None:
        undo = {"template": step("x", "undo ${{ steps.a.outputs }}")["template"]}
        steps = [step("a", outputs="TerminationMessage", compensate=undo), step("b", dependsOn=["a"])]
        world = World(lambda job: None if job["metadata"]["labels"]["execloop.dev/step"] == "b" else "7")
        with pytest.raises(AssertionError, match="it waits: b runs"):
            converge(Operated(world, *steps), 6)
        converged(Undone(world, *steps))
        assert world.created == ["a", "b", "a undo 7"]
        assert world.requests.count("DELETE Job") == 1

    def test_of_a_plan_that_never_ran_there_is_nothing_to_undo(self) -> None:
        assert converged(Undone(World(), step("a"))).created == []


class TestCrashes:
    def test_whatever_call_fails_each_job_runs_once(self) -> None:
        steps = [
            step("a", outputs="TerminationMessage"),
            step("b", "${{ item }}", dependsOn=["a"], forEach="steps.a.outputs"),
            step("c", dependsOn=["b"]),
        ]
        worlds: list[World] = []

        def world() -> World:
            worlds.append(World(lambda _job: "[1, 2, 3]"))
            return worlds[-1]

        def once(world: World) -> None:
            assert sorted(world.created) == ["a", "b 1", "b 2", "b 3", "c"]

        survival = survive_failures(lambda world: Operated(world, *steps), world=world, check=once, within=40)
        assert len(survival.points) > 30

    def test_whatever_call_fails_each_step_is_undone_once(self) -> None:
        undo = {"template": step("x", "undo")["template"]}
        steps = [step("a", compensate=undo), step("b", dependsOn=["a"], compensate=undo)]

        def world() -> World:
            return converged(Operated(World(), *steps))

        def once(world: World) -> None:
            assert world.created[2:] == ["b undo", "a undo"]

        survive_failures(lambda world: Undone(world, *steps), world=world, check=once, within=40)


class TestSize:
    def test_of_a_thousand_jobs_the_status_stays_small_and_requests_are_few(self) -> None:
        world = World()
        operated = Operated(world, step("a", "${{ item }}", forEach=list(range(1000))), parallelism=100)
        converged(operated)
        assert len(world.created) == 1000
        assert world.requests.count("POST Job") == 1000
        assert world.requests.count("PATCH Job") == 1000
        assert world.requests.count("LIST Job") <= 30
        assert len(str(world.state)) < 8 * 1024
