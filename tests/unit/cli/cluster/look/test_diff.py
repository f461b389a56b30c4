"""How the answer of `execloop diff` is shown."""

from typing import Any

import pytest

from execloop.cli.cluster.look.diff import shown


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ({}, ["nothing would run"]),
        ({"tasks": ["create a"]}, ["+ create a"]),
        ({"tasks": [{"name": "sql", "detail": "DROP x\nDROP y"}]}, ["+ sql", "  DROP x\n  DROP y"]),
        ({"count": 22, "tasks": ["a", "b"]}, ["+ a", "+ b", "  and 20 more"]),
        ({"error": "OSError: down"}, ["create() raised: OSError: down"]),
    ],
)
def test_each_task_has_its_line(answer: dict[str, Any], lines: list[str]) -> None:
    assert list(shown(answer)) == lines
