"""The line that shows how far a download or a build is."""

import io

import pytest

from tests.cluster.progress import Progress, line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("share", "elapsed", "shown"),
    [
        (0, 0, "compiling  ░░░░░░░░░░░░░░░░░░░░░░░░   0%, 0:00 of about 4:20"),
        (0.5, 100, "compiling  ████████████░░░░░░░░░░░░  50%, 1:40 of about 3:50"),
        (1, 190, "compiling  ████████████████████████ 100%, 3:10 of about 3:10"),
        (2, 1, "compiling  ████████████████████████ 100%, 0:01 of about 0:01"),
    ],
)
def test_the_line_has_what_how_far_since_when_and_until_when(share: float, elapsed: float, shown: str) -> None:
    assert line("compiling", share, elapsed, expected=260) == shown


def test_a_terminal_has_one_line_which_is_drawn_again_and_removed() -> None:
    out, clock = Terminal(), iter([0.0, 0.0, 0.1, 1.0])
    progress = Progress("compiling", 10, 60, out, lambda: next(clock))
    for done in range(3):
        progress(done)
    progress.close()
    assert out.getvalue().count("\r\033[K") == 3
    assert out.getvalue().endswith("\r\033[K")


def test_a_log_has_a_line_now_and_then() -> None:
    out, clock = io.StringIO(), iter([0.0, 0.0, 10.0, 15.0])
    progress = Progress("compiling", 10, 60, out, lambda: next(clock))
    for done in range(3):
        progress(done)
    progress.close()
    assert [text.split(", ")[1] for text in out.getvalue().splitlines()] == ["0:00 of about 1:00", "0:15 of about 1:03"]


def test_an_unknown_size_is_no_error() -> None:
    Progress("downloading", 0, 60, io.StringIO())(5)
