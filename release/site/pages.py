"""Stages what the site shows: the pages of docs/, and each file of the project that a page links to.

On the site a file of the project is a page too, under `source/`: Markdown as it is, other text as a block of code, a
folder as a list. A link whose text is the name of a page shows its title.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

__all__ = ["ROOT", "stage"]

ROOT = Path(__file__).parents[2]
_DOCS = ROOT / "docs"
_LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
_NAMED = re.compile(r"\[[\w./-]+\.md\](?=\(([^)\s#:]+))")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}


def stage(folder: Path) -> list[str]:
    """Write every page below `folder`, and return their names there, sorted."""
    shutil.copytree(_DOCS, folder, ignore=shutil.ignore_patterns("*.md"))
    todo = sorted(_DOCS.rglob("*.md"))
    done: dict[Path, str] = {}
    while todo:
        source = todo.pop()
        if source in done:
            continue
        done[source] = _staged(source)
        text, linked = _relinked(source, _text(source))
        todo += linked
        page = folder / done[source]
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, "utf-8")
    return sorted(done.values())


def _staged(source: Path) -> str:
    """The name of the page for a file or folder of the project."""
    if source == ROOT / "README.md":
        return "index.md"
    if source.is_relative_to(_DOCS):
        return str(source.relative_to(_DOCS))
    name = f"source/{source.relative_to(ROOT)}"
    if source.name == "README.md":
        return f"{name.removesuffix('README.md')}about.md"  # an index would be the first page of its section
    return name if source.suffix == ".md" else f"{name}.md"


def _text(source: Path) -> str:
    title = f"# {source.relative_to(ROOT)}\n\n"
    if source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.is_file())
        return title + "".join(f"- [{path.relative_to(source)}]({path.relative_to(source.parent)})\n" for path in files)
    text = source.read_text("utf-8")
    if source.suffix == ".md":
        return text
    return f"{title}```{_LANGUAGES.get(source.suffix, 'text')}\n{text.rstrip()}\n```\n"


def _relinked(source: Path, text: str) -> tuple[str, list[Path]]:
    """The text with links that hold on the site, and the files of the project that it links to."""
    linked: list[Path] = []

    def relink(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(source.parent / found[2]))
        if not (target.is_relative_to(ROOT) and target.exists()):
            return found[0]
        if not target.is_relative_to(_DOCS) and target != ROOT / "README.md":
            linked.append(target)
        here = Path(_staged(source)).parent
        return f"{found[1]}{os.path.relpath(_staged(target), here)}{found[3]}"

    def entitle(found: re.Match[str]) -> str:
        target = source.parent / found[1]
        title = _TITLE.search(target.read_text("utf-8")) if target.is_file() else None
        return f"[{title[1]}]" if title else found[0]

    parts = _FENCED.split(text)
    parts[::2] = [_LINK.sub(relink, _NAMED.sub(entitle, part)) for part in parts[::2]]
    return "".join(parts), linked
