"""What has changed between two lists of Plans."""

from typing import Any

from execloop.cli.cluster.changes import _differences


def plan(name: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": version}}


def test_a_second_list_yields_what_came_changed_and_went() -> None:
    known: dict[tuple[str, str], dict[str, Any]] = {}
    assert [kind for kind, _ in _differences(known, [plan("a"), plan("b"), plan("c")])] == ["ADDED"] * 3
    found = _differences(known, [plan("a"), plan("b", "2"), plan("d")])
    assert [(kind, one["metadata"]["name"]) for kind, one in found] == [
        ("DELETED", "c"),
        ("MODIFIED", "b"),
        ("ADDED", "d"),
    ]
    assert _differences(known, known.values()) == []
