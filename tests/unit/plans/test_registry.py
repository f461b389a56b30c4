import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from execloop import Task, plan
from execloop._engine.errors import AmbiguousPlan, UnknownPlan
from execloop._plans.definition import definition_of
from execloop._plans.registry import Registered, Registry

Write = Callable[[str, str], Path]


def _plan(name: str) -> str:
    return f"from execloop import plan\n@plan({name!r})\ndef make():\n    return []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "plans"


@pytest.fixture
def write(folder: Path) -> Iterator[Write]:
    """Files below the folder; what is imported from there is forgotten afterwards."""
    paths, modules = list(sys.path), set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    yield write
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def _load(*folders: Path) -> Registry:
    return Registry.load(folders, entry_points=False)


def _distribution(site: Path, name: str, version: str, **entries: str) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{key} = {value}" for key, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[execloop.plans]", *lines]) + "\n")


# -- folders


def test_the_plans_of_each_module_of_a_folder_are_registered(folder: Path, write: Write) -> None:
    write("one_module.py", _plan("first") + _plan("second").replace("make", "other"))
    write("one_package/__init__.py", _plan("third"))
    registry = _load(folder)
    assert registry.names() == ("first", "second", "third")
    assert len(registry) == 3
    assert [registered.name for registered in registry] == ["first", "second", "third"]
    assert registry.get("first").origin == str(folder / "one_module.py")
    assert not registry.failures


def test_names_with_an_underscore_or_a_dot_before_them_are_not_plan_modules(folder: Path, write: Write) -> None:
    write("_private.py", _plan("private"))
    write(".hidden.py", _plan("hidden"))
    write("__pycache__/cached.py", _plan("cached"))
    write("notes.txt", "not Python")
    write("data/rows.py", _plan("in-a-folder-that-is-no-package"))
    registry = _load(folder)
    assert registry.names() == ()
    assert not registry.failures


def test_modules_that_import_one_another_are_imported_once(folder: Path, write: Write) -> None:
    write("a_importer.py", "import shared_common\n" + _plan("importer"))
    write("shared_common.py", "import builtins\nbuiltins.counted = getattr(builtins, 'counted', 0) + 1\n")
    write("z_importer.py", "from a_importer import make as imported\nimport shared_common\n")
    registry = _load(folder)
    import builtins

    assert builtins.counted == 1  # type: ignore[attr-defined]
    del builtins.counted  # type: ignore[attr-defined]
    assert registry.names() == ("importer",)
    assert registry.get("importer").origin == str(folder / "a_importer.py")


def test_a_package_may_show_the_plans_of_its_own_modules(folder: Path, write: Write) -> None:
    write("shown/__init__.py", "from shown.inner import make\n")
    write("shown/inner.py", _plan("inner"))
    assert _load(folder).names() == ("inner",)


def test_a_mounted_config_map_is_a_folder_like_any_other(folder: Path, write: Write) -> None:
    write("..2026_07_01/mounted.py", _plan("mounted"))
    (folder / "..data").symlink_to("..2026_07_01")
    (folder / "mounted.py").symlink_to("..data/mounted.py")
    registry = _load(folder)
    assert registry.names() == ("mounted",)
    assert registry.get("mounted").origin == str(folder / "mounted.py")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("\n\nraise KeyError('x')", "KeyError: 'x'"),
        ("def broken(:\n    pass", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('enough')", "SystemExit: enough"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("from execloop import plan\n@plan('No Name')\ndef f(): ...", "ValueError: the plan name 'No Name' must be"),
        ("raise ValueError('x' * 9999)", "xxx…"),
    ],
)
def test_a_module_that_cannot_be_imported_disables_its_own_plans_only(
    folder: Path, write: Write, text: str, why: str
) -> None:
    broken = write("broken_module.py", text)
    write("working_module.py", _plan("works"))
    registry = _load(folder)
    assert registry.names() == ("works",)
    (failure,) = registry.failures.items()
    assert failure[0] == str(broken)
    assert why in failure[1]
    assert f"({broken}:" in failure[1]
    assert len(failure[1]) < 1000


def test_ctrl_c_during_an_import_is_not_a_failure_of_the_module(folder: Path, write: Write) -> None:
    write("interrupted.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        _load(folder)


@pytest.mark.parametrize("name", ["json.py", "sys.py", "execloop.py", "json/__init__.py"])
def test_a_module_whose_name_belongs_to_another_says_so(folder: Path, write: Write, name: str) -> None:
    write(name, _plan("clashing"))
    registry = _load(folder)
    assert registry.names() == ()
    (why,) = registry.failures.values()
    assert "finds another module" in why
    assert "rename this one" in why


def test_two_folders_with_a_module_of_one_name_use_the_first(tmp_path: Path, folder: Path, write: Write) -> None:
    write("twice.py", _plan("first"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "twice.py").write_text(_plan("second"))
    registry = _load(folder, other)
    assert registry.names() == ("first",)
    assert list(registry.failures) == [str(other / "twice.py")]


def test_a_file_whose_name_cannot_be_imported_says_so(folder: Path, write: Write) -> None:
    path = write("my-plan.py", _plan("dashed"))
    assert "a module cannot be named 'my-plan'" in _load(folder).failures[str(path)]


def test_a_folder_that_is_not_there_is_a_failure_too(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert _load(missing).failures == {str(missing): "not a readable folder: No such file or directory"}


def test_the_version_of_a_module_is_a_digest_of_its_code(folder: Path, write: Write) -> None:
    def version(body: str, inner: str = "") -> tuple[str, str]:
        write("versioned.py", _plan("module") + body)
        write("versioned_package/__init__.py", _plan("package"))
        write("versioned_package/inner.py", inner)
        for name in ("versioned", "versioned_package"):
            sys.modules.pop(name, None)
        registry = _load(folder)
        return registry.get("module").version, registry.get("package").version

    module, package = version("")
    assert len(module) == len(package) == 12
    assert version("") == (module, package)
    assert version("# more")[0] != module
    assert version("# more")[1] == package
    assert version("", "# more")[1] != package


# -- entry points


def test_an_entry_point_may_be_a_plan_or_a_module(folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("acme_plans.py", _plan("direct"))
    write("acme_more.py", _plan("scanned"))
    _distribution(folder, "acme", "2.7", a="acme_plans:make", b="acme_more", c="acme_plans")
    monkeypatch.syspath_prepend(folder)
    registry = Registry.load()
    assert registry.get("direct").version == registry.get("scanned").version == "2.7"
    assert registry.get("direct").origin == "acme (acme_plans:make)"
    assert registry.get("scanned").origin == "acme (acme_more)"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("acme_broken", "ModuleNotFoundError: No module named 'acme_broken'"),
        ("acme_plans:missing", "AttributeError: module 'acme_plans' has no attribute 'missing'"),
        ("acme_plans:number", "7 is neither a plan made by @plan nor a module"),
    ],
)
def test_an_entry_point_that_gives_no_plan_is_a_failure(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    write("acme_plans.py", "number = 7\n")
    _distribution(folder, "acme", "2.7", a=value)
    monkeypatch.syspath_prepend(folder)
    assert Registry.load().failures[f"acme ({value})"] == why


def test_an_entry_point_that_lacks_what_its_extra_brings_says_what_to_install(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("acme_cloud.py", "import no_such_module\n")
    _distribution(folder, "acme", "2.7", a="acme_cloud [cloud]")
    monkeypatch.syspath_prepend(folder)
    why = "no_such_module is not installed, and comes with acme[cloud]: pip install 'acme[cloud]'"
    assert Registry.load().failures["acme (acme_cloud)"] == why


def test_entry_points_can_be_left_out(folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("acme_left_out.py", _plan("left-out"))
    _distribution(folder, "acme", "2.7", a="acme_left_out")
    monkeypatch.syspath_prepend(folder)
    assert "left-out" in Registry.load()
    assert "left-out" not in Registry.load(entry_points=False)


# -- names


@plan("one")
def one() -> list[Task]:
    return []


@plan("one")
def another_one() -> list[Task]:
    return []


@plan("two")
def two() -> list[Task]:
    return []


def _registered(candidate: object, origin: str = "here") -> Registered:
    definition = definition_of(candidate)
    assert definition is not None
    return Registered(definition, origin, "1")


def test_two_plans_of_one_name_disable_both_and_nothing_else() -> None:
    registry = Registry([_registered(one, "this.py"), _registered(another_one, "that.py"), _registered(two)])
    assert registry.names() == ("two",)
    assert list(registry.ambiguous) == ["one"]
    with pytest.raises(
        AmbiguousPlan, match=r"2 plans are named 'one': \(this.py, .*:one\) and \(that.py, .*another_one"
    ):
        registry.get("one")


def test_one_plan_reached_twice_is_no_duplicate() -> None:
    registry = Registry([_registered(one, "first"), _registered(one, "second")])
    assert registry.get("one").origin == "first"


def test_an_unknown_name_is_answered_with_the_known_ones_and_the_close_ones_first() -> None:
    names = [f"p{i:02}" for i in range(30)]
    made = [plan(name)(lambda: ()) for name in [*names, "zookeeper"]]
    registry = Registry(map(_registered, made))
    with pytest.raises(UnknownPlan) as caught:
        registry.get("zookeper")
    assert str(caught.value).startswith("there is no plan 'zookeper'; known plans: zookeeper, p00, p01, ")
    assert str(caught.value).endswith("p18, and 11 more")


def test_an_unknown_name_is_answered_with_what_failed_to_import() -> None:
    registry = Registry(failures={"plans/db.py": "NameError: name 'x' is not defined"})
    with pytest.raises(UnknownPlan, match=r"known plans: none; failed to import: plans/db.py: NameError"):
        registry.get("db")
    assert "db" not in registry
