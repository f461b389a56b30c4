"""`python -m release.site [FOLDER]`: the documentation as a site. `make site` calls it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from release.site.build import SiteError, build
from release.site.links import problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m release.site", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist/site"))
    folder = parser.parse_args().folder
    try:
        pages = build(folder)
    except SiteError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    found = list(problems(folder))
    for problem in found:
        print(problem, file=sys.stderr)  # noqa: T201
    print(f"{folder}: {pages} pages; open {folder / 'index.html'} in a browser")  # noqa: T201
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
