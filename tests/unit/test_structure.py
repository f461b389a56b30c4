"""The shape of the code: no circle of imports, and rooms, files and functions of a size that one can read.

Imports that run with their module count for a circle; those in functions and for type checkers do not.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "operator"


def modules(root: Path) -> dict[str, Path]:
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def at_import(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run with their module: not those of functions, nor those for type checkers."""
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                yield statement
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from at_import(statement.orelse)
            case ast.If() | ast.For() | ast.While():
                yield from at_import([*statement.body, *statement.orelse])
            case ast.Try():
                handlers = [each for handler in statement.handlers for each in handler.body]
                yield from at_import([*statement.body, *handlers, *statement.orelse, *statement.finalbody])
            case ast.With() | ast.ClassDef():
                yield from at_import(statement.body)
            case _:
                pass


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for statement in at_import(ast.parse(path.read_text()).body):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in known)
        elif statement.module is not None:
            for alias in statement.names:
                inner = f"{statement.module}.{alias.name}"
                if inner in known:
                    yield inner
                elif statement.module in known:
                    yield statement.module


def circle(root: Path) -> list[str]:
    """The modules of a circle, the first again at the end; none when there is no circle."""
    known = modules(root)
    graph = {name: set(imported(path, known)) - {name} for name, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_imports_go_in_a_circle() -> None:
    assert circle(ROOT) == []


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ("from package.b import y", True),
        ("import package.b", True),
        ("from package import b", True),
        ("try:\n    import package.b\nexcept ImportError:\n    pass", True),
        ("if TYPE_CHECKING:\n    from package.b import y", False),
        ("def f():\n    from package.b import y", False),
    ],
)
def test_a_circle_is_found_if_it_closes_at_run_time(tmp_path: Path, imports: str, found: bool) -> None:
    package = tmp_path / "package"
    package.mkdir()
    for name, text in {"__init__": "", "a": imports, "b": "from package.a import x"}.items():
        (package / f"{name}.py").write_text(text)
    assert bool(circle(tmp_path)) == found


MOST_FILES = 12
MOST_LINES = 400
LONGEST_FUNCTION = 40
CODE = [ROOT, *(ROOT.parent / folder for folder in ("release", "benchmarks", "examples"))]


def test_a_room_holds_at_most_a_dozen_files() -> None:
    counts = {
        str(folder.relative_to(ROOT)): sum(file.name != "__init__.py" for file in folder.glob("*.py"))
        for folder in ROOT.rglob("*")
        if folder.is_dir()
    }
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_a_file_has_at_most_400_lines() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Return each function of a module, and its lines from `def` to the end.

    Of a command of click only the body counts: its signature lists the command's options, each an argument.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            command = any("click.command" in ast.unparse(decorator) for decorator in node.decorator_list)
            first = node.body[0].lineno if command else node.lineno
            yield node.name, (node.end_lineno or first) - first + 1


def test_a_function_has_at_most_40_lines_with_its_signature() -> None:
    lengths = {
        f"{path.relative_to(ROOT.parent)}: {name}": lines
        for folder in CODE
        for path in folder.rglob("*.py")
        for name, lines in functions(path.read_text())
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f():\n    pass", 2),
        ("def f(\n    a,\n    b,\n):\n    pass", 5),
        ("async def f():\n    pass", 2),
        ("@other\ndef f():\n    pass", 2),
        ("@click.command()\ndef f(\n    a,\n    b,\n):\n    pass", 1),
    ],
)
def test_the_signature_counts_except_that_of_a_command(source: str, lines: int) -> None:
    assert dict(functions(source)) == {"f": lines}
