"""The dashboard asks for what the operator exports, and its panels have a place each."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from release.dashboard import PANELS, Panel, dashboard

ROOT = Path(__file__).parents[2]
METRICS = set(re.findall(r"^\| `(execloop_\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
"""A unit test of the operator compares this table with what it serves."""
QUERIES = [query for panel in PANELS if isinstance(panel, Panel) for query, _ in panel.queries]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_that_the_operator_exports(query: str) -> None:
    asked = {name.removesuffix("_bucket") for name in re.findall(r"execloop_\w+", query)}
    assert asked <= METRICS
    assert asked or "process_" in query


@pytest.mark.parametrize("query", QUERIES)
def test_each_metric_of_a_query_is_that_of_the_chosen_job(query: str) -> None:
    assert query.count('job=~"$job"') == len(re.findall(r"\b(?:execloop|process)_\w+", query))


def test_every_metric_of_the_operator_is_on_the_dashboard() -> None:
    asked = {name.removesuffix("_bucket") for query in QUERIES for name in re.findall(r"execloop_\w+", query)}
    assert METRICS - asked == {"execloop_build_info"}


def test_no_two_panels_share_a_place() -> None:
    panels = json.loads(dashboard())["panels"]
    assert [(one["title"], other["title"]) for one, other in combinations(panels, 2) if _overlap(one, other)] == []
    assert {panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in panels} >= {24}
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    a, b = one["gridPos"], other["gridPos"]
    apart = (
        a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    )
    return not apart
