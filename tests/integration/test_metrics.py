"""A real Prometheus scrapes a running operator, and checks the alerts that are offered."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.dashboard import PANELS, Panel
from tests.cluster import Cluster
from tests.cluster.errors import Unavailable
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Plans, manifest, operating
from tests.integration.prometheus import find, scraping

ALERTS = Path(__file__).parents[2] / "examples" / "monitoring" / "alerts.yaml"
METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"
QUERIES = [
    query.replace("$job", ".*").replace("$__rate_interval", "1m")
    for panel in PANELS
    if isinstance(panel, Panel)
    for query, _ in panel.queries
]
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture(scope="session")
def promtool() -> Path:
    try:
        return find("promtool")
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def operator(crd: None, cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Endpoints]:
    with (
        Endpoints.reserved() as endpoints,
        operating(cluster, [namespace], tmp_path, f"--health-port={endpoints.port}"),
    ):
        yield endpoints


@pytest.mark.usefixtures("promtool")
def test_prometheus_knows_what_became_of_plans(
    operator: Endpoints, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    plans = Plans(cluster, namespace)
    plans.apply(manifest("good", "marks", parameters={"count": 2}), manifest("bad", "fatal"))
    plans.wait("good")
    plans.wait("bad", "Stalled")
    expected = {
        'execloop_plans{condition="Ready",status="True"}': 1.0,
        'execloop_plans{condition="Stalled"}': 1.0,
        'execloop_tasks_total{outcome="succeeded"}': 2.0,
        'execloop_tasks_total{outcome="failed"}': 1.0,
        'execloop_runs_total{outcome="converged"}': 1.0,
        'execloop_runs_total{outcome="failed"}': 1.0,
        "execloop_leader": 1.0,
        "execloop_queue_depth": 0.0,
        "count(execloop_build_info)": 1.0,
        'up{job="execloop"}': 1.0,
    }
    with scraping(operator, tmp_path) as prometheus:
        for expression, value in expected.items():
            plans.until(lambda e=expression, v=value: prometheus.value(e) == v, expression)  # type: ignore[misc]


@pytest.mark.usefixtures("promtool", "crd")
def test_each_panel_of_the_dashboard_shows_something(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    with Endpoints.reserved() as endpoints, Endpoints.reserved() as page:
        flags = f"--health-port={endpoints.port}", f"--page=127.0.0.1:{page.port}"
        with operating(cluster, [namespace], tmp_path, *flags):
            plans = Plans(cluster, namespace)
            plans.apply(manifest("good", "marks", parameters={"count": 2}))
            plans.wait("good")
            plans.until(lambda: bool(page.healthy()), "the page answers")
            with scraping(endpoints, tmp_path) as prometheus:
                for expression in QUERIES:
                    plans.until(lambda e=expression: bool(prometheus.query(e)), expression)  # type: ignore[misc]


def test_no_label_names_a_plan(operator: Endpoints, cluster: Cluster, namespace: str) -> None:
    plans = Plans(cluster, namespace)
    plans.apply(manifest("a-very-special-name", "marks", parameters={"fix": "s3cret"}))
    plans.wait("a-very-special-name")
    served = operator.served()
    assert "execloop_plans{" in served
    assert not re.search("special|s3cret|marks", served)


def test_the_text_is_what_promtool_would_have_it(
    operator: Endpoints, cluster: Cluster, namespace: str, promtool: Path
) -> None:
    Plans(cluster, namespace).until(lambda: operator.ready() == "ok", "it is ready")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=operator.served() + "\n", capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


# --- alerts


def rules() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(ALERTS.read_text())["spec"]
    return found


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps(rules()))
    return path


def test_prometheus_takes_the_alerts(rule_file: Path, promtool: Path) -> None:
    checked = subprocess.run([promtool, "check", "rules", rule_file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("alert", "series", "values"),
    TROUBLE := [
        ("ExecloopHasNoLeader", "execloop_leader", "0x60"),
        ("ExecloopPlansStalled", 'execloop_plans{condition="Stalled",status="True"}', "2x60"),
        ("ExecloopPlansWait", 'execloop_queue_wait_seconds_bucket{le="+Inf"}', "0+10x60"),
        ("ExecloopPlanCodeBlocks", "execloop_plans_blocked", "1x60"),
        ("ExecloopIsForbidden", 'execloop_api_requests_total{verb="PATCH",code="403"}', "0+1x60"),
        ("ExecloopWatchIsDown", 'execloop_watch_up{namespace="shop"}', "0x60"),
        ("ExecloopApiServerTrouble", 'execloop_api_requests_total{verb="GET",code="none"}', "0+1x60"),
        ("ExecloopInternalError", 'execloop_reconciles_total{result="error"}', "0+1x60"),
    ],
)
def test_an_alert_fires_when_it_should_and_is_silent_else(
    alert: str, series: str, values: str, rule_file: Path, promtool: Path, tmp_path: Path
) -> None:
    well = {
        "execloop_leader": "1x60",
        'execloop_queue_wait_seconds_bucket{le="60"}': "0+0x60",
        'execloop_api_requests_total{verb="GET",code="200"}': "0+5x60",
    }
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": value} for name, value in state.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                    "eval_time": "40m",
                    "exp_samples": [{"labels": "{}", "value": fires}],
                }
            ],
        }
        for state, fires in ((well | {series: values}, 1), (well, 0))
    ]
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps({"rule_files": [str(rule_file)], "evaluation_interval": "1m", "tests": tests}))
    checked = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alerts_ask_for_metrics_that_there_are_and_are_explained() -> None:
    alerts = [rule for group in rules()["groups"] for rule in group["rules"]]
    known = set(re.findall(r"`(execloop_\w+)`", METRICS.read_text()))
    asked = {name.removesuffix("_bucket") for rule in alerts for name in re.findall(r"execloop_\w+", rule["expr"])}
    assert asked <= known
    assert {alert for alert, _, _ in TROUBLE} == {rule["alert"] for rule in alerts}
    assert {rule["alert"] for rule in alerts} == set(re.findall(r"`(Execloop\w+)`", OPERATIONS.read_text()))
