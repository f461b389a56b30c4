"""A Plan that somebody made to do harm: it is refused or stalls, and the others do not notice."""

import json

import pytest

from tests.integration.operating import Operator, Plans, manifest


@pytest.mark.parametrize("depth", [101, 300, 1500, 9000])
def test_parameters_of_many_levels_stall_their_plan_alone(operator: Operator, plans: Plans, depth: int) -> None:
    """The API server takes up to 10,000; orjson reads 1,024, and Python's own decoder by default 1,000."""
    deep = '{"a":' * depth + "1" + "}" * depth
    content = json.dumps(manifest("deep", "marks", parameters={"deep": None})).replace('{"deep": null}', deep)
    plans.kubectl("create", "--filename=-", "--validate=false", input=content)
    plans.apply(manifest("a", "marks"))
    plans.wait("a")
    plans.wait("deep", "Stalled")
    reason = "--output=jsonpath={.status.conditions[?(@.type=='Stalled')].reason}"
    assert plans.kubectl("get", "plan", "deep", reason) == "InvalidSpec"
    assert operator.process.poll() is None
    assert "an error of the operator" not in operator.said()


def test_a_long_annotation_does_not_make_a_long_status(operator: Operator, plans: Plans) -> None:
    plans.apply(manifest("a", "marks"))
    plans.wait("a")
    plans.annotate("a", requestedAt="x" * 100_000)
    plans.until(lambda: "lastHandledReconcileAt" in plans.status("a"), "the request was handled")
    assert len(json.dumps(plans.status("a"))) < 4096
