"""`python -m release.reference [--check]`: the reference pages of the command and of the library."""

from __future__ import annotations

import sys
from pathlib import Path

from release.generated import parser, settle
from release.reference.command import command_page
from release.reference.library import library_page

_FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def main() -> int:
    options = parser("release.reference", __doc__).parse_args()
    pages = {_FOLDER / "command.md": command_page(), _FOLDER / "library.md": library_page()}
    return settle(pages, check=options.check, target="reference")


if __name__ == "__main__":
    sys.exit(main())
