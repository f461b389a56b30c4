from collections.abc import Callable
from pathlib import Path

import pytest

from execloop._plans.code_version import code_version

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_module_that_changes_has_another_version(write: Write) -> None:
    first = code_version(write("module.py", "a = 1"))
    assert len(first) == 12
    assert code_version(write("module.py", "a = 1")) == first
    assert code_version(write("module.py", "a = 2")) != first


def test_a_package_has_another_version_when_any_of_its_files_changes(write: Write) -> None:
    package = write("package/__init__.py", "").parent
    write("package/data.sql", "SELECT 1")
    first = code_version(package)
    write("package/__pycache__/x.cpython-311.pyc", "compiled")
    assert code_version(package) == first
    write("package/data.sql", "SELECT 2")
    assert code_version(package) != first


@pytest.mark.parametrize(
    "statement",
    [
        "import shared",
        "import shared.inner as inner",
        "from shared import inner",
        "def later():\n    from shared.inner import thing",
        "import between",
    ],
)
def test_it_covers_what_a_module_imports_from_its_folder(write: Write, statement: str) -> None:
    module = write("module.py", statement)
    write("between.py", "import shared")
    write("shared/inner.py", "thing = 1")
    first = code_version(module)
    write("another.py", "no business of it")
    assert code_version(module) == first
    write("shared/inner.py", "thing = 2")
    assert code_version(module) != first


def test_modules_may_import_one_another(write: Write) -> None:
    one, two = write("one.py", "import two, one"), write("two.py", "import one")
    first = code_version(one)
    two.write_text("import one as first")
    assert code_version(one) != first


def test_what_cannot_be_parsed_has_a_version_too(write: Write) -> None:
    assert code_version(write("module.py", "import ?")) != code_version(write("module.py", "import !"))
