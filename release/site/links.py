"""Finds links of a built site that lead nowhere, and whatever a page would fetch from another host."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Page", "problems", "read"]

_CSS_URL = re.compile(r"url\(\s*[\"']?((?:https?:)?//[^)\"']+)")
_FETCHED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "srcset")}


@dataclass
class Page(HTMLParser):
    """The anchors of a page, where it links to, and what a browser fetches to show it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.anchors.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.append(value)
            elif (tag, name) in _FETCHED:
                self.fetched.append(value)


def read(site: Path) -> dict[Path, Page]:
    """Each page of a built site."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = Page()
        pages[path].feed(path.read_text("utf-8"))
    return pages


def problems(site: Path) -> Iterator[str]:
    """Each link without a target, each anchor that its page does not have, and each asset of another host."""
    pages = read(site)
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in [*page.links, *page.fetched]:
            if cause := _cause(link, path, pages):
                yield f"{name}: {link}: {cause}"
        for asset in page.fetched:
            if urlsplit(asset).netloc:
                yield f"{name}: {asset}: the browser would fetch it from another host"
    for path in sorted(site.rglob("*.css")):
        for url in _CSS_URL.findall(path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: {url}: the browser would fetch it from another host"


def _cause(link: str, path: Path, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or path.name == "404.html":  # whose links begin at the root of a host
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "there is no such page"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "that page has no such anchor"
    return None
