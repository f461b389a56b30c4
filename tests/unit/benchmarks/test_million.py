"""The model of a million Plans: its formulas, the simulation that checks them, and what the API server is told."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import benchmarks.million
from benchmarks.million.model import Costs, Limits, need, replicas
from benchmarks.million.report import as_markdown, checks
from benchmarks.million.simulation import Resource, Simulation, Use, restart

FLOW_CONTROL = Path(benchmarks.million.__path__[0]) / "flow_control.yaml"
PLANS = st.integers(1_000, 1_000_000)
SHARDS = st.integers(1, 16)


def life(number: int = 10_000) -> dict[str, Any]:
    last = {"listed": 3.0, "looked_at": 6.0, "cpu_seconds": 4.8, "resident_mib": 170.0}
    return {
        "number": number,
        "restarts": [last],
        "start_cpu": 1.2,
        "empty_mib": 90.0,
        "backlog_cpu": 24.2,
        "api_server_mib": 600.0,
        "empty_api_server_mib": 350.0,
        "storage_mib": 15.0,
        "check_cpu": 0.0,
    }


class TestModel:
    @given(PLANS, SHARDS)
    def test_more_replicas_need_less_each(self, plans: int, shards: int) -> None:
        few, many = (need(plans, count, Costs(), Limits()) for count in (shards, 2 * shards))
        assert (many.memory, many.cpu, many.looked_at) < (few.memory, few.cpu, few.looked_at)

    @given(PLANS, SHARDS)
    def test_what_the_api_server_filters_is_not_read(self, plans: int, shards: int) -> None:
        all_of_them, own = (need(plans, shards, Costs(), Limits(), filtered=each) for each in (False, True))
        assert own.read == pytest.approx(plans / shards * Costs().take)
        assert all_of_them.read - own.read == pytest.approx((plans - plans / shards) * Costs().discard)

    @given(PLANS)
    def test_the_replicas_stay_within_the_limits_and_one_less_does_not(self, plans: int) -> None:
        limits, count = Limits(), replicas(plans, Costs(), Limits())
        fits = [
            found.memory <= limits.memory and found.cpu <= limits.cpu and found.looked_at <= limits.restart
            for found in (need(plans, each, Costs(), limits) for each in (count - 1, count) if each)
        ]
        assert fits in ([True], [False, True])

    def test_what_fits_no_number_of_replicas_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="10,000,000 Plans do not fit 16 replicas"):
            replicas(10_000_000, Costs(), Limits(), most=16)

    def test_the_costs_of_a_run_give_that_run_back(self) -> None:
        costs = Costs.measured(life())
        found = need(10_000, 1, costs, Limits())
        assert found.memory == pytest.approx(170 * 2**20)
        assert found.looked_at == pytest.approx(4.8)

    def test_a_run_that_measured_the_list_gives_its_costs(self) -> None:
        costs = Costs.measured(life() | {"reading": {"take": 50e-6, "discard": 20e-6, "server": 90e-6}})
        assert (costs.take, costs.discard, costs.server) == (50e-6, 20e-6, 90e-6)
        assert costs.look == pytest.approx((4.8 - 1.2) / 10_000 - 50e-6)

    def test_a_figure_that_a_run_does_not_have_keeps_its_default(self) -> None:
        found, plain = Costs.measured(life()), Costs()
        assert (found.check, found.take, found.server) == (plain.check, plain.take, plain.server)


class TestSimulation:
    def test_a_resource_serves_so_many_at_a_time_in_order(self) -> None:
        simulation, resource, ended = Simulation(), Resource(2), list[tuple[str, float]]()

        def work(name: str) -> Any:
            yield Use(resource, 10.0)
            ended.append((name, simulation.now))

        for name in "abc":
            simulation.start(work(name))
        assert simulation.run() == 20.0
        assert ended == [("a", 10.0), ("b", 10.0), ("c", 20.0)]

    @given(PLANS)
    def test_one_replica_looks_at_its_plans_while_the_server_answers_so_that_only_the_first_page_costs_time(
        self, plans: int
    ) -> None:
        found = restart(plans, 1, Costs(), cores=1)
        first = 500 * Costs().server
        assert found.looked_at == pytest.approx(need(plans, 1, Costs(), Limits()).looked_at + first)

    @given(PLANS, st.integers(1, 8))
    def test_with_a_core_for_each_replica_it_takes_no_less_than_the_list_or_the_work_and_no_more_than_both(
        self, plans: int, shards: int
    ) -> None:
        found, formula = restart(plans, shards, Costs(), cores=shards), need(plans, shards, Costs(), Limits())
        served = plans * Costs().server
        assert found.listed == pytest.approx(Costs().start + formula.read + served)
        assert max(found.listed, formula.looked_at) <= found.looked_at * (1 + 1e-9)
        assert found.looked_at <= (formula.looked_at + served) * (1 + 1e-9)
        assert found.waited_for_server == 0

    def test_replicas_that_start_together_wait_for_an_api_server_with_fewer_cores(self) -> None:
        one, many = (restart(1_000_000, shards, Costs(), cores=1) for shards in (1, 8))
        assert many.waited_for_server > 0
        assert many.listed > one.listed


class TestPage:
    def test_it_compares_a_run_with_what_the_model_says(self) -> None:
        costs = Costs.measured(life())
        found = [*checks(life(), costs, fitted=True), *checks(life(100_000), costs, fitted=False)]
        page = as_markdown(costs, Limits(), 10_000, "a run", found)
        assert "| 100,000 | memory of the operator | 170.0 MiB | 890.0 MiB | +424% |" in page

    def test_without_a_run_it_says_how_to_make_one(self) -> None:
        assert "`make bench-100k`" in as_markdown(Costs(), Limits(), 10_000, "a run", [])

    @pytest.mark.parametrize(
        "manifest", list(yaml.safe_load_all(FLOW_CONTROL.read_text())), ids=lambda each: each["kind"]
    )
    def test_the_settings_of_the_api_server_are_valid(self, manifest: dict[str, Any]) -> None:
        kubernetes_validate.validate(manifest, "1.35", strict=True)
