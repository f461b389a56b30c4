"""What the trials of `make recovery` count."""

from pathlib import Path

import pytest

from tests.faults.ledger import Account, account


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["begin 0 1", "end 0 1"], Account(1, 0, 0, 0, 0)),
        (["begin 0 1", "error 0 1", "begin 0 1", "end 0 1"], Account(1, 0, 0, 0, 1)),
        (["begin 0 1", "begin 0 2", "end 0 2"], Account(1, 1, 0, 0, 0)),  # process 1 was killed
        (["begin 0 1", "end 0 1", "begin 0 2", "end 0 2"], Account(1, 0, 1, 0, 0)),
        (["begin 0 1", "begin 0 2", "end 0 1", "end 0 2"], Account(1, 0, 1, 1, 0)),
        (["begin 0 1", "begin 0 2", "end 0 2", "end 0 1"], Account(1, 0, 1, 1, 0)),
    ],
)
def test_a_step_is_done_lost_or_doubled(tmp_path: Path, lines: list[str], expected: Account) -> None:
    (tmp_path / "a.ledger").write_text("".join(f"{line} {at}\n" for at, line in enumerate(lines)))
    assert account(tmp_path) == expected
