"""The order in which Plans are resumed and reconciled."""

from typing import Any

import pytest

from execloop.cli.cluster.selection import ordered


def plan(name: str, *depends: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n"}, "spec": {"dependsOn": [{"name": one} for one in depends]}}


@pytest.mark.parametrize(
    ("plans", "names"),
    [
        ([plan("a"), plan("b")], ["a", "b"]),
        ([plan("a", "b"), plan("b", "c"), plan("c")], ["c", "b", "a"]),
        ([plan("a", "b", "c"), plan("b"), plan("c", "b")], ["b", "c", "a"]),
        ([plan("a", "elsewhere")], ["a"]),
        ([plan("a", "b"), plan("b", "a")], ["b", "a"]),
    ],
    ids=["apart", "a chain", "a diamond", "not selected", "a circle"],
)
def test_each_comes_after_those_it_depends_on(plans: list[dict[str, Any]], names: list[str]) -> None:
    assert [one["metadata"]["name"] for one in ordered(plans)] == names


def test_a_chain_of_ten_thousand_is_ordered() -> None:
    chain = [plan(str(number), str(number + 1)) for number in range(10_000)]
    assert ordered(chain)[0]["metadata"]["name"] == "9999"
