"""A plan that is made when it is asked: its model is its author's code."""

import errno

import pytest
from pydantic import BaseModel, model_validator

from execloop import Context
from execloop._plans.definition import Definition
from execloop.controller.plancode.construction import Refusal, deferred
from execloop.testing import ScriptedPlan


def raising(error: BaseException) -> Definition:
    class Model(BaseModel):
        @model_validator(mode="before")
        @classmethod
        def _raise(cls, _raw: object) -> object:
            raise error

    return Definition("mine", Model, ScriptedPlan, "here", "mine", asynchronous=False, teardown=False)


def test_a_model_that_meets_an_error_of_the_system_blames_no_parameter() -> None:
    plan = deferred(raising(OSError(errno.EMFILE, "s3cret")), {}, Context("a"), str, lambda _plan: None)
    with pytest.raises(OSError, match=r"^the model of 'mine' cannot validate now: Too many open files$"):
        plan.create()


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("s3cret")], ids=repr)
def test_a_model_that_raises_anything_else_refuses_the_parameters(error: BaseException) -> None:
    plan = deferred(raising(error), {}, Context("a"), str, lambda _plan: None)
    with pytest.raises(Refusal, match=f"^parameters: the model of 'mine' raised {type(error).__name__}$"):
        plan.create()
