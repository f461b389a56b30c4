"""Where the pages are, and what each says of the machine."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

__all__ = ["DOCS", "ROOT", "index", "load", "machine", "publish", "tell"]

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "benchmarks"

_README = "README.md"
_INDEX = """\
# Measurements

`make bench` measures all of them in one sitting and writes these pages, but for two that take longer: `make soak` and
`make bench-100k`. Each page names the machine and its load. Compare the lines of one page, not those of two.

"""


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def index(pages: dict[str, str]) -> str:
    """Return the page that lists the others, which are given by file name with their text."""
    titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in pages.items()}
    return _INDEX + "".join(
        f"- [{title}]({name})\n" for name, title in sorted(titles.items(), key=lambda pair: pair[1])
    )


def publish(name: str, page: str, picture: str, *, only_print: bool = False) -> None:
    """Print a page, and write it and its picture unless they are only to be printed."""
    print(page)
    if not only_print:
        DOCS.mkdir(parents=True, exist_ok=True)
        (DOCS / f"{name}.md").write_text(page)
        (DOCS / f"{name}.svg").write_text(picture)
        pages = {path.name: path.read_text() for path in DOCS.glob("*.md") if path.name != _README}
        (DOCS / _README).write_text(index(pages))
