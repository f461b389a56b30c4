"""A plan that is made when it is asked: its model is its author's code."""

import asyncio
import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, model_validator

from execloop import Context
from execloop._plans.definition import Definition, definition_of
from execloop.controller.plancode.construction import Refusal, deferred
from execloop.library.includes.plan import Includes
from execloop.library.manifests.plan import Manifests
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


@pytest.mark.parametrize(
    ("created", "expected"),
    [([1, 2], [2]), ((1,), [1]), ([], [0]), (None, []), (iter([1]), [])],
    ids=["list", "tuple", "empty", "none", "iterator"],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_how_many_tasks_a_plan_returned_is_told(created: object, expected: list[int], asynchronous: bool) -> None:
    class Made:
        name = "mine"

        def create(self) -> Any:
            return self._later() if asynchronous else created

        async def _later(self) -> object:
            return created

    told: list[int] = []
    definition = Definition("mine", None, lambda *_: Made(), "here", "mine", asynchronous=asynchronous, teardown=False)
    plan = deferred(definition, {}, Context("a"), str, lambda _plan: None, returned=told.append)
    assert (asyncio.run(plan.create()) if asynchronous else plan.create()) is created
    assert told == expected


class Constructed:
    """Its constructor reads files, say."""

    name = "mine"

    def __init__(self, parameters: list[int]) -> None:
        parameters.append(threading.get_ident())
        if len(parameters) > 2:
            raise ValueError("the file is gone")

    async def create(self) -> list[Any]:
        return []


def constructed(threads: list[int]) -> Any:
    definition = Definition("mine", None, Constructed, "here", "mine", asynchronous=True, teardown=False)
    object.__setattr__(definition, "unchecked", True)
    object.__setattr__(definition, "takes", ("parameters",))
    return deferred(definition, threads, Context("a"), str, lambda _plan: None)


class TestConstructorOfAnAsynchronousPlan:
    def test_it_runs_in_the_thread_that_validates_and_once(self) -> None:
        threads: list[int] = []
        plan = constructed(threads)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(plan.prepare).result()
        assert asyncio.run(plan.create()) == []
        assert len(threads) == 1
        assert threads != [threading.get_ident()]

    @pytest.mark.parametrize("built_in", [Manifests, Includes])
    def test_one_that_reads_files_is_never_made_on_the_event_loop(self, built_in: object) -> None:
        definition = definition_of(built_in)
        assert definition is not None
        assert definition.reads_when_made
        plain = replace(definition, parameters=None)
        assert not deferred(plain, {}, Context("a"), str, lambda _plan: None).prepare_here()

    def test_each_look_has_a_plan_of_its_own(self) -> None:
        threads: list[int] = []
        plan = constructed(threads)
        for _ in range(2):
            asyncio.run(plan.create())
        assert len(threads) == 2

    def test_its_error_is_one_of_create(self) -> None:
        plan = constructed([1, 2])
        plan.prepare()
        with pytest.raises(ValueError, match="the file is gone"):
            asyncio.run(plan.create())
