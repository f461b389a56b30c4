"""The page about many Plans on one operator."""

import json

from benchmarks.crowd.measure import Life, Restart
from benchmarks.crowd.reading import Reading
from benchmarks.crowd.report import as_json, as_markdown, as_svg
from benchmarks.million.model import Costs


def life() -> Life:
    return Life(
        number=10_000,
        empty_mib=90.0,
        reading=Reading(take=60e-6, discard=30e-6, server=120e-6),
        restarts=[Restart(listed=2.0, looked_at=5.0, cpu_seconds=4.8, resident_mib=129.0625)],
        latencies={"nothing else": [0.010] * 98 + [0.020] * 2, "all Plans are checked again and again": [0.030] * 100},
        checks_per_second=1000.0,
    )


def page() -> str:
    return as_markdown(life(), "plans-10000", "2 cores", 0.1, "make bench-crowd")


def test_a_plan_takes_what_is_resident_beyond_an_empty_operator() -> None:
    assert "| **memory a Plan** | **4.0 KiB** |" in page()


def test_each_percentile_is_compared_with_that_of_an_idle_operator() -> None:
    assert "| all Plans are checked again and again, 1000 a second | 100 | 30.0 ms | 30.0 ms | 1.5 |" in page()


def test_the_picture_names_what_the_operator_does() -> None:
    assert ">at rest<" in as_svg(life(), "2 cores")
    assert ">during checks<" in as_svg(life(), "2 cores")


def test_the_model_of_a_million_reads_the_figures() -> None:
    costs = Costs.measured(json.loads(as_json(life())))
    assert (costs.plan_bytes, costs.take, costs.discard, costs.server) == (4096, 60e-6, 30e-6, 120e-6)
