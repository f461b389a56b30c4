"""Builds the site: stages the pages, expands the navigation, runs zensical, and removes what would need a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import yaml

from release.site.pages import ROOT, stage

__all__ = ["SiteError", "build", "expand"]

_ASSETS = Path(__file__).parent / "assets"
_SHIM = "iframe-worker.js"
_REMOTE_SHIM = re.compile(r"https://unpkg\.com/iframe-worker[^\"']*")
_FOLDER_LINK = re.compile(r'href="((?:\./)?\.\.(?:/\.\.)*|\.)"')
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SECONDS = 300


class SiteError(Exception):
    """zensical did not build the site; the text says why."""


def build(folder: Path) -> int:
    """Build the site into `folder`, in place of what it has, and return the number of pages."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pages = stage(root / "docs")
        project = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
        project["nav"] = expand(project["nav"], pages)
        # zensical reads YAML too, and the standard library writes no TOML.
        (root / "mkdocs.yml").write_text(yaml.safe_dump(project, sort_keys=False), "utf-8")
        shutil.copytree(_ASSETS, root / "docs" / "assets", dirs_exist_ok=True)
        _zensical(root)
        _localise(root / "site")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / "site", folder)
    return len(pages)


def expand(nav: list[Any], pages: list[str]) -> list[Any]:
    """Replace each pattern by the pages that no other line names, and leave out what does not exist."""
    named = set(_named(nav))
    return list(_expanded(nav, [page for page in pages if page not in named], set(pages)))


def _named(nav: list[Any]) -> Any:
    for entry in nav:
        for item in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(item, list):
                yield from _named(item)
            else:
                yield item


def _expanded(nav: list[Any], free: list[str], known: set[str]) -> Any:
    for entry in nav:
        match entry:
            case str() if "*" in entry:
                yield from (page for page in free if _same_folder(page, entry))
            case str() if entry in known:
                yield entry
            case dict():
                ((title, item),) = entry.items()
                inner = list(_expanded(item, free, known)) if isinstance(item, list) else item
                if inner and (inner in known if isinstance(inner, str) else True):
                    yield {title: inner}


def _same_folder(page: str, pattern: str) -> bool:
    return Path(page).parent == Path(pattern).parent and Path(page).match(pattern)


def _zensical(root: Path) -> None:
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "mkdocs.yml"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise SiteError(_COLOUR.sub("", done.stdout + done.stderr))


def _localise(site: Path) -> None:
    """Let each page work without a network and without a server.

    The script by which search works there is our copy. A link to a folder names its index: without a server a browser
    would list the folder.
    """
    for page in site.rglob("*.html"):
        top = "../" * (len(page.relative_to(site).parts) - 1)
        text = _REMOTE_SHIM.sub(f"{top}assets/{_SHIM}", page.read_text("utf-8"))
        page.write_text(_FOLDER_LINK.sub(r'href="\1/index.html"', text), "utf-8")
