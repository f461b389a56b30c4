"""The reference pages say what the code says."""

import execloop
from execloop.cli.group import COMMANDS
from release.reference.command import command_page
from release.reference.library import library_page, markdown

DOCSTRING = """Return the sum.

Args:
    first: One number,
        of any size.
    second: Another.

>>> add(1, 2)
3"""


def test_a_docstring_becomes_markdown() -> None:
    assert "\n".join(markdown(DOCSTRING)) == (
        "Return the sum.\n\n*Arguments*\n\n- `first`: One number, of any size.\n- `second`: Another.\n\n"
        "```pycon\n>>> add(1, 2)\n3\n```"
    )


def test_every_public_name_has_a_section() -> None:
    page = library_page()
    assert [name for name in execloop.__all__ if f"\n### {name}\n" not in page] == []


def test_every_verb_has_a_section_with_its_options() -> None:
    page = command_page()
    assert [name for name in COMMANDS if f"\n## execloop {name}\n" not in page] == []
    assert "| `--timeout DURATION` | `5m` | How long to wait; 0s for ever. |" in page


def test_every_option_has_a_meaning() -> None:
    assert [line for line in command_page().splitlines() if line.startswith("| `-") and line.endswith("|  |")] == []


def test_nothing_on_a_page_differs_from_one_run_to_the_next() -> None:
    assert " at 0x" not in library_page() + command_page()
