"""The names that users import, and the promises their signatures make."""

import asyncio
import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import execloop
from execloop import Options, arun, run
from execloop.testing import ScriptedPlan

PUBLIC = [
    "Again",
    "Context",
    "Converged",
    "ConvergedEvent",
    "CreateFailed",
    "Duration",
    "ErrorRecord",
    "Event",
    "ExecloopError",
    "Execution",
    "ExecutionTimeout",
    "Executor",
    "Failed",
    "FatalError",
    "GaveUp",
    "Interrupted",
    "Listener",
    "Options",
    "Outcome",
    "Plan",
    "Report",
    "RunFinished",
    "RunStarted",
    "Task",
    "TaskFailed",
    "TaskFinished",
    "TaskPath",
    "TaskStarted",
    "TaskWaiting",
    "ToleranceExceeded",
    "Wait",
    "WaitRecord",
    "Whole",
    "arun",
    "astep",
    "plan",
    "run",
    "step",
    "task",
]
ENGINE = [
    module.name
    for module in pkgutil.walk_packages(execloop.__path__, "execloop.")
    if module.name.split(".")[1] in {"_engine", "_plans", "listeners", "testing"} and not module.ispkg
]


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(execloop.__all__) == PUBLIC
    found = {name: getattr(execloop, name) for name in dir(execloop) if not name.startswith("_")}
    ours = {name for name, value in found.items() if not inspect.ismodule(value)}
    assert ours - {"TYPE_CHECKING", "import_module"} == set(PUBLIC)


def test_a_star_imports_them_all() -> None:
    names: dict[str, object] = {}
    exec("from execloop import *", names)
    assert set(PUBLIC) <= set(names)


def test_a_name_that_is_not_public_is_not_found() -> None:
    with pytest.raises(AttributeError, match="module 'execloop' has no attribute 'Walk'"):
        execloop.Walk  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_is(name: str) -> None:
    value = getattr(execloop, name)
    assert value.__doc__
    assert not value.__doc__.startswith(f"{name}("), "that is what dataclasses make up"


@pytest.mark.parametrize("name", ENGINE)
def test_every_module_of_the_engine_names_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert all(hasattr(module, offered) for offered in module.__all__)
    assert sorted(module.__all__) == sorted(set(module.__all__))


def test_run_and_arun_take_the_same_arguments() -> None:
    assert inspect.signature(run) == inspect.signature(arun)
    assert inspect.iscoroutinefunction(arun)


def test_the_defaults_of_run_are_those_of_options() -> None:
    arguments = inspect.signature(run).parameters
    for field in dataclasses.fields(Options):
        assert arguments[field.name].default == field.default
        assert arguments[field.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert list(arguments) == ["plan", *(field.name for field in dataclasses.fields(Options)), "listeners"]


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(execloop.__file__).parent / "py.typed").is_file()


def _functions() -> list[Any]:
    """The public functions, and the public methods of public classes that are not records of what happened."""
    found = []
    for value in (getattr(execloop, name) for name in PUBLIC):
        if inspect.isfunction(value):
            found.append(value)
        elif inspect.isclass(value):
            members = (member for name, member in vars(value).items() if not name.startswith("_"))
            members = (getattr(member, "fget", None) or getattr(member, "__func__", member) for member in members)
            found += [member for member in members if inspect.isfunction(member)]
    return found


@pytest.mark.parametrize("function", _functions(), ids=lambda function: function.__qualname__)
def test_every_public_function_and_method_says_what_it_does_and_what_it_takes(function: Any) -> None:
    assert function.__doc__
    assert function.__doc__.splitlines()[0].endswith((".", ":"))
    several = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    if len(several) > 2:
        section = function.__doc__.partition("Args:")[2]
        assert all(re.search(rf"^ +[*]*{name}: ", section, re.MULTILINE) for name in several)


WITH_AN_EXAMPLE = "Context Duration Execution Executor FatalError Options Plan Task Wait arun astep plan run step task"


@pytest.mark.parametrize("name", WITH_AN_EXAMPLE.split())
def test_the_example_of_a_public_name_does_what_it_says(name: str) -> None:
    names = {public: getattr(execloop, public) for public in PUBLIC}
    names |= {"ScriptedPlan": ScriptedPlan, "asyncio": asyncio, "timedelta": timedelta}
    value = getattr(execloop, name)
    example = doctest.DocTestParser().get_doctest(value.__doc__, names, name, None, None)
    assert example.examples
    assert not doctest.DocTestRunner().run(example).failed
