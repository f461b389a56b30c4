"""The Grafana dashboard of the operator, from a table of panels. `make chart` writes it into the chart.

Each panel is a title, how it draws, its unit, and queries with the legend of their series. `$job` selects the operator.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["PANELS", "Panel", "Row", "dashboard"]

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 24
_HEIGHT = {"stat": 4, "timeseries": 8}


@dataclass(frozen=True)
class Row:
    title: str


@dataclass(frozen=True)
class Panel:
    title: str
    queries: tuple[tuple[str, str], ...]
    """Each with its legend."""
    help: str
    unit: str = "short"
    kind: Literal["stat", "timeseries"] = "timeseries"
    width: int = 8
    good_from: float | None = None
    """A stat is red below it."""
    bad_from: float | None = None
    """A stat is red from it on."""


def _rate(metric: str, by: str, more: str = "") -> str:
    return f'sum by ({by}) (rate({metric}{{job=~"$job"{more}}}[$__rate_interval]))'


def _sum_rate(metric: str) -> str:
    return f'sum(rate({metric}{{job=~"$job"}}[$__rate_interval]))'


def _quantile(metric: str, quantile: float, by: str = "le") -> str:
    return f"histogram_quantile({quantile}, {_rate(f'{metric}_bucket', by)})"


def _sum(metric: str, more: str = "") -> str:
    return f'sum({metric}{{job=~"$job"{more}}})'


def _stat(title: str, query: str, text: str, width: int = 3, **options: Any) -> Panel:
    return Panel(title, ((query, title),), text, kind="stat", width=width, **options)


_LATENCIES = (0.5, 0.9, 0.99)

PANELS: tuple[Row | Panel, ...] = (
    Row("Plans"),
    _stat("Leaders", _sum("execloop_leader"), "One operator leads. With none, no Plan converges.", good_from=1),
    _stat(
        "Ranges without an owner",
        'count(max by (shard) (execloop_shard_owned{job=~"$job"}) == 0) or vector(0)',
        "With --shards: ranges whose Plans no replica works on.",
        6,
        bad_from=1,
    ),
    _stat("Plans", _sum("execloop_plans", ',condition="Ready"'), "All Plans that the operator knows."),
    _stat(
        "Ready",
        " / ".join(_sum("execloop_plans", f',condition="Ready"{true}') for true in (',status="True"', "")),
        "The share of Plans that have converged.",
        unit="percentunit",
    ),
    _stat("Stalled", _sum("execloop_plans", ',condition="Stalled"'), "Plans that need a person.", bad_from=1),
    _stat("Code blocks", _sum("execloop_plans_blocked"), "Plans whose code runs after its deadline.", bad_from=1),
    _stat(
        "Watches down",
        'count(execloop_watch_up{job=~"$job"} == 0) or vector(0)',
        "Namespaces whose changes the operator does not notice.",
        bad_from=1,
    ),
    Panel(
        "Plans by condition",
        (('sum by (condition, status) (execloop_plans{job=~"$job"})', "{{condition}}={{status}}"),),
        "A Plan has Ready always, and may have others beside it.",
        width=12,
    ),
    Panel("Runs", ((_rate("execloop_runs_total", "outcome"), "{{outcome}}"),), "Runs that ended.", "ops", width=12),
    Row("Work"),
    Panel("Tasks", ((_rate("execloop_tasks_total", "outcome"), "{{outcome}}"),), "Tasks that were attempted.", "ops"),
    Panel(
        "Time of a reconcile",
        tuple((_quantile("execloop_reconcile_duration_seconds", q), f"p{q * 100:g}") for q in _LATENCIES),
        "Its run included. A slow one is slow plan code.",
        "s",
    ),
    Panel(
        "Wait of a due Plan",
        tuple((_quantile("execloop_queue_wait_seconds", q), f"p{q * 100:g}") for q in _LATENCIES),
        "If it grows, raise --workers or lengthen intervals.",
        "s",
    ),
    Panel(
        "Under way",
        (
            (_sum("execloop_queue_depth"), "due"),
            (_sum("execloop_reconciles_in_progress"), "reconciles"),
            (_sum("execloop_plan_calls_waiting"), "calls that wait for a worker"),
        ),
        "Plans that are due, reconciles, and calls of plan code that wait.",
    ),
    Panel(
        "Reconciles",
        ((_rate("execloop_reconciles_total", "result"), "{{result}}"),),
        "`error` is an error in the operator itself; its log has the traceback.",
        "ops",
    ),
    Panel(
        "Plans under suspicion",
        ((_sum("execloop_plans_suspected"), "suspected"), (_sum("execloop_plans_blocked"), "blocked")),
        "Plans that may have ended a process, and those whose code does not return.",
    ),
    Row("API server"),
    Panel(
        "Requests", ((_rate("execloop_api_requests_total", "code"), "{{code}}"),), "`none`: no answer came.", "reqps"
    ),
    Panel(
        "Time of a request, p99",
        ((_quantile("execloop_api_request_duration_seconds", 0.99, "le, verb"), "{{verb}}"),),
        "Until the answer began.",
        "s",
    ),
    Panel(
        "Watches that began again",
        ((_rate("execloop_watch_restarts_total", "watch, reason"), "{{watch}}: {{reason}}"),),
        "A few `silent` and `gone` are usual.",
        "ops",
    ),
    Panel(
        "Reads with cached=True",
        ((_rate("execloop_cached_reads_total", "source"), "{{source}}"),),
        "`live`: the watch could not answer, and the API server was asked.",
        "reqps",
        width=12,
    ),
    Panel(
        "Held for cached reads",
        (('execloop_cached_bytes{job=~"$job"}', "{{instance}}"),),
        "At most 64 MiB in each replica.",
        "bytes",
        width=12,
    ),
    Row("Page"),
    Panel(
        "Requests to the page",
        (
            (_rate("execloop_page_requests_total", "code"), "{{code}}"),
            (_sum_rate("execloop_page_sessions_total"), "sessions that begin"),
        ),
        "Empty without --page.",
        "reqps",
    ),
    Panel(
        "Refused by the page",
        ((_rate("execloop_page_refused_total", "reason"), "{{reason}}"),),
        "`proxy`, `origin` and `form` are seldom harmless.",
        "reqps",
    ),
    Panel("Open pages", (('execloop_page_streams{job=~"$job"}', "{{instance}}"),), "Of each replica."),
    Row("Process"),
    Panel("Memory", (('process_resident_memory_bytes{job=~"$job"}', "{{instance}}"),), "Of each replica.", "bytes"),
    Panel("CPU", ((_rate("process_cpu_seconds_total", "instance"), "{{instance}}"),), "Cores of each replica."),
    Panel("Open files", (('process_open_fds{job=~"$job"}', "{{instance}}"),), "Of each replica."),
)


def dashboard() -> str:
    """Return the dashboard as JSON, as the sidecar of Grafana reads it."""
    panels, x, y, height = [], 0, 0, 0
    for number, each in enumerate(PANELS, 1):
        width = _COLUMNS if isinstance(each, Row) else each.width
        if x + width > _COLUMNS:
            x, y = 0, y + height
        height = 1 if isinstance(each, Row) else _HEIGHT[each.kind]
        place = {"x": x, "y": y, "w": width, "h": height}
        panels.append({"id": number, "gridPos": place, **(_row(each) if isinstance(each, Row) else _panel(each))})
        x += width
    return json.dumps(_board(panels), indent=1) + "\n"


def _board(panels: list[dict[str, Any]]) -> dict[str, Any]:
    job = {"query": "label_values(execloop_build_info, job)", "refId": "job"}
    return {
        "title": "execloop",
        "uid": "execloop",
        "tags": ["execloop", "kubernetes"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "job",
                    "label": "Job",
                    "type": "query",
                    "datasource": _DATASOURCE,
                    "query": job,
                    "refresh": 2,
                    "includeAll": True,
                    "multi": True,
                    "current": {"text": "All", "value": "$__all"},
                },
            ]
        },
        "panels": panels,
    }


def _row(row: Row) -> dict[str, Any]:
    return {"type": "row", "title": row.title, "collapsed": False, "panels": []}


def _panel(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "datasource": _DATASOURCE, "expr": query, "legendFormat": legend}
        for index, (query, legend) in enumerate(panel.queries)
    ]
    custom = {"fillOpacity": 10, "showPoints": "never"} if panel.kind == "timeseries" else {}
    defaults = {"unit": panel.unit, "min": 0, "custom": custom, **_thresholds(panel)}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": _DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        coloured = panel.good_from is not None or panel.bad_from is not None
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value" if coloured else "none"}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}


def _thresholds(panel: Panel) -> dict[str, Any]:
    if panel.good_from is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": panel.good_from}]
    elif panel.bad_from is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.bad_from}]
    else:
        return {}
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}
