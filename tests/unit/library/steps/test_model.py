"""The parameters of `steps`: what is refused, and at which place."""

from typing import Any

import pytest

from execloop._engine.errors import InvalidParameters
from execloop._plans.definition import definition_of
from execloop.library.steps.plan import Steps
from tests.unit.library.steps.world import configmap, reading

DEFINITION = definition_of(Steps)
assert DEFINITION is not None
POD = {"spec": {"containers": [{"name": "main", "image": "x"}]}}


def step(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, "do": {"apply": configmap("c")}, **fields}


def refused(*steps: Any, **more: Any) -> str:
    assert DEFINITION is not None
    with pytest.raises(InvalidParameters) as raised:
        DEFINITION.parse({"steps": list(steps), **more})
    return str(raised.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (step(check="values.a = 1"), "parameters.steps.0.check: `values.a = 1` is not a valid expression, at line 1"),
        (step(check="size(values)"), "parameters.steps.0.check: `size(values)` gives a value of type int"),
        (step(check="missing"), "parameters.steps.0.check: `missing` is not a valid expression, at line 1, column 1"),
        (step(check="objects.b.x == 1"), "parameters.steps.0.check: reads objects.b, which is not among objects"),
        (step(check="probes.b.status == 1"), "parameters.steps.0.check: reads probes.b, which is not among probes"),
        (step(needs=["b"]), "parameters.steps.0.needs: 'b' is not a step"),
        (step(forEach="item"), "parameters.steps.0.forEach"),
        (step(forEach=[1] * 101), "parameters.steps.0.forEach"),
        (step(check="true", do={}), "parameters.steps.0.do: give one of apply, patch, delete"),
        (step(do={"wait": "x", "apply": []}), "parameters.steps.0.do.apply"),
        (step(do={"wait": "x", "apply": configmap("c")}), "parameters.steps.0.do: give one of"),
        (step(do={"wait": "x"}), "parameters.steps.0.check: is missing: only a check says whether wait"),
        (step(do={"wiat": "x"}), "parameters.steps.0.do.wiat: there is no such parameter; did you mean wait?"),
        (
            step(do={"http": {"url": "https://a.example", "expct": {}}}),
            "parameters.steps.0.do.http.expct: there is no such parameter; did you mean expect?",
        ),
        (step(do={"apply": {"kind": "ConfigMap"}}), "parameters.steps.0.do.apply: apiVersion is missing"),
        (step(do={"apply": configmap("${{ itm }}")}), "parameters.steps.0.do.apply: `itm` is not a valid expression"),
        (
            step(do={"apply": configmap("${{ objects.b.x }}")}),
            "parameters.steps.0.do.apply: reads objects.b, which is not among objects",
        ),
        (step(do={"delete": {"target": "b"}}), "parameters.steps.0.do.delete.target: 'b' is not among objects"),
        (
            step(check="true", do={"restart": {"target": "b"}}, objects=reading(b="ConfigMap/b")),
            "parameters.steps.0.do.restart.target: a ConfigMap cannot be restarted",
        ),
        (
            step(do={"annotate": {"target": "a"}}, objects=reading(a="ConfigMap/a")),
            "parameters.steps.0.do.annotate: give annotations or labels; to remove one write ${{ null }}",
        ),
        (step(do={"http": {"url": "ftp://x"}}), "parameters.steps.0.do.http.url: should be a URL such as"),
        (step(do={"http": {"url": "https://a.example", "expct": {}}}), "parameters.steps.0.do.http.expct"),
        (step(do={"sql": {"dsn": "x"}}), "parameters.steps.0.do.sql"),
        (step(do={"job": {"template": {"spec": {}}}}), "parameters.steps.0.do.job.template"),
        (step(do={"job": {"template": POD, "retries": -1}}), "parameters.steps.0.do.job.retries"),
        (step(objects={"a": {"apiVersion": "v1", "kind": "Pod"}}), "parameters.steps.0.objects.a: give either name"),
        (
            step(objects={"a": {"apiVersion": "v1", "kind": "Pod", "name": "${{ objects.x }}"}}),
            "steps.0.objects.a.name",
        ),
        (step(probes={"a": {"url": "http://${{ item }}/"}}), "parameters.steps.0.probes.a.url"),
    ],
)
def test_a_wrong_step_is_refused_with_its_place(given: Any, said: str) -> None:
    assert said in refused(given)


def test_steps_that_need_each_other_are_named() -> None:
    assert "the steps need each other in a circle: a → b → a" in refused(step("a", needs=["b"]), step("b", needs=["a"]))


def test_two_steps_of_one_name_are_refused() -> None:
    assert "parameters.steps.1.name: two steps are called 'a'" in refused(step(), step())


def test_too_many_steps_with_their_items_are_refused() -> None:
    steps = [step(f"s{n}", forEach=list(range(100))) for n in range(6)]
    assert "with their items they are 600: at most 500" in refused(*steps)


@pytest.mark.parametrize(
    "do",
    [
        {
            "http": {
                "url": "https://a.example/${{ item }}",
                "expect": {"n": "${{ values.n }}"},
                "timeout": "${{ item }}",
            }
        },
        {"job": {"template": {"spec": {"containers": [{"name": "m", "image": "${{ values.image }}"}]}}}},
        {"apply": [configmap("${{ item }}", a="${{ secrets.token }}")]},
        {"patch": {"target": "a", "patch": {"spec": {"replicas": "${{ values.n }}"}}}},
    ],
)
def test_expressions_may_stand_where_their_values_are_not_known_yet(do: Any) -> None:
    assert DEFINITION is not None
    DEFINITION.parse({"steps": [step(do=do, objects=reading(a="ConfigMap/a"))]})
