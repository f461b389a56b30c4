"""The parameters of the plan `jobs`: what is refused, with its path and the cause."""

from typing import Any

import pytest
from pydantic import ValidationError

from execloop.library.jobs.model import Parameters
from tests.unit.library.jobs.world import step


def errors(*steps: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        Parameters.model_validate({"steps": list(steps), **parameters})
    return str(raised.value)


def with_pod(**spec: Any) -> dict[str, Any]:
    return {"name": "a", "template": {"spec": spec}}


MAIN = {"name": "main", "image": "x"}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "at least 1 item"),
        ([step("A")], "should match pattern"),
        ([step("a"), step("a")], "two steps have the name 'a'"),
        ([step("a", dependsOn=["b"])], "depends on 'b', which is not a step"),
        ([step("a", dependsOn=["b"]), step("b", dependsOn=["a"])], "in a circle: "),
        ([step("a"), step("b", when="steps.a.state == 'done'")], "reads the result of 'a': add that to its dependsOn"),
        ([step("a"), step("b", "${{ steps['a'].outputs }}")], "reads the result of 'a'"),
        ([step("a", when="steps.a")], "reads the result of 'a'"),
        ([step("a", when="1 + 1")], "must give true or false"),
        ([step("a", when="nothing")], "line 1, column 1: undeclared reference to 'nothing'"),
        ([step("a", forEach="'x'")], "must give a list"),
        ([step("a", "${{ itm }}")], "undeclared reference to 'itm'"),
        ([step("a", forEach=[0] * 1001)], "the steps have 1001 Jobs: at most 1000"),
        ([step("a", retries=-1)], "greater than or equal to 0"),
        ([step("a", timeout="soon")], "duration"),
        ([{"name": "a", "template": {}}], "needs spec.containers"),
        ([with_pod(containers=[])], "needs spec.containers"),
        ([with_pod(containers=["x"])], "spec.containers must be a list of mappings"),
        ([with_pod(containers=[{"name": "x"}])], "spec.containers[0].image is missing"),
        ([with_pod(containers=[MAIN | {"securityContext": 1}])], "spec.containers[0].securityContext must be"),
        ([with_pod(containers=[MAIN], initContainers=[{}])], "spec.initContainers[0].name is missing"),
        ([with_pod(containers=[MAIN], securityContext=[1])], "spec.securityContext must be a mapping"),
        ([{"name": "a", "template": {"metadata": "x", "spec": {"containers": [MAIN]}}}], "metadata.labels must be"),
    ],
)
def test_what_is_wrong_is_refused(steps: list[dict[str, Any]], said: str) -> None:
    assert said in errors(*steps)


def test_a_result_may_be_read_through_another_step() -> None:
    steps = [step("a"), step("b", dependsOn=["a"]), step("c", "${{ steps.a.outputs }}", dependsOn=["b"])]
    assert [each.name for each in Parameters.model_validate({"steps": steps}).ordered()] == ["a", "b", "c"]


def test_a_compensation_may_read_the_result_of_its_own_step() -> None:
    undo = {"template": step("x", "${{ steps.a.outputs }}")["template"]}
    assert Parameters.model_validate({"steps": [step("a", compensate=undo)]}).steps[0].compensate is not None
