"""The shortest of the trials that `make recovery` runs at length."""

from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.faults import trials


@pytest.mark.usefixtures("crd")
def test_no_kill_makes_a_step_be_done_twice(cluster: Cluster, tmp_path: Path) -> None:
    account = trials.killed(cluster, tmp_path / "ground", times=2).account
    assert (account.done_twice, account.at_once) == (0, 0)


@pytest.mark.usefixtures("crd")
def test_a_full_disk_costs_log_lines_alone(cluster: Cluster, tmp_path: Path) -> None:
    outcome = trials.full_disk(cluster, tmp_path / "ground")
    assert (outcome.notes, outcome.account.done_twice) == ([], 0)
    assert outcome.counted_errors == outcome.account.errors > 0
