"""Where the pages are, and what each says of the machine."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

__all__ = ["DOCS", "ROOT", "load", "machine", "publish", "tell"]

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "benchmarks"


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def publish(name: str, page: str, picture: str, *, only_print: bool = False) -> None:
    """Print a page, and write it and its picture unless they are only to be printed."""
    print(page)
    if not only_print:
        DOCS.mkdir(parents=True, exist_ok=True)
        (DOCS / f"{name}.md").write_text(page)
        (DOCS / f"{name}.svg").write_text(picture)
