"""`execloop new`: a package for a plan of your own, with its test and its image."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from execloop.cli.exits import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["new"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DOTTED = {"gitignore", "dockerignore"}
_SUFFIX = ".tmpl"


@click.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Where to make the folder. Default: here.",
)
def new(name: str, into: Path) -> None:
    """Write a small, tested package for a plan NAME: pyproject.toml, the plan, its test, a Dockerfile, a README."""
    package = _package(name)
    folder = into / name
    try:
        folder.mkdir()
    except FileExistsError:
        raise Mistake(f"{folder} exists: choose another name, or another place with --into") from None
    except OSError as error:
        raise Mistake(f"{folder}: {error.strerror}") from None
    for source, path in _templates(files("execloop.cli") / "skeleton"):
        target = folder / path.replace("package/", f"{package}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text("utf-8")).substitute(name=name, package=package), "utf-8")
        click.echo(target)


def _package(name: str) -> str:
    if len(name) > 63 or not _NAME.fullmatch(name):  # noqa: PLR2004 - a name for labels of Kubernetes, too
        raise Mistake(f"{name!r} should be lower-case letters, digits and '-', beginning with a letter, at most 63")
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names | {"execloop", "tests"}:
        raise Mistake(f"{name!r} would hide a module of that name: choose another")
    return package


def _templates(folder: Traversable, prefix: str = "") -> Iterator[tuple[Traversable, str]]:
    """Each template, and where what it makes belongs."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            name = entry.name.removesuffix(_SUFFIX)
            yield entry, prefix + (f".{name}" if name in _DOTTED else name)
