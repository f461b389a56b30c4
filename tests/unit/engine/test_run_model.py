"""Every rule at once: random trees, failures, budgets and deadlines, against a naive model of the rules."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from execloop import Execution, Options
from tests.engine_model import FLAVOURS, Flavour, Model, Script, options, play, scripts


@settings(max_examples=300, deadline=None)
@given(scripts, options, st.sampled_from(FLAVOURS))
def test_the_engine_does_what_the_model_does(script: Script, options: Options, flavour: Flavour) -> None:
    assert play(script, options, flavour) == Model(script, options).interpret()


@settings(max_examples=100, deadline=None)
@given(scripts, options, st.sampled_from(FLAVOURS))
def test_an_execution_resumed_before_each_run_ends_as_one_that_was_not(
    script: Script, options: Options, flavour: Flavour
) -> None:
    def restart(execution: Execution) -> Execution:
        return Execution.from_dict(json.loads(json.dumps(execution.to_dict())))

    assert play(script, options, flavour, between=restart) == play(script, options, flavour)
