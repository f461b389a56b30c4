"""The names that users import, and the promises their signatures make."""

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import execloop
from execloop import Options, arun, run

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
