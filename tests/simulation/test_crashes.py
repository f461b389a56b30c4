"""The process is killed at every request of the usual courses: another goes on, and no rule is broken."""

import pytest

from tests.simulation.life import live
from tests.simulation.scenarios import SCENARIOS, WHENS, CrashAt, scenario


@pytest.mark.timeout(600)  # where the machine is busy
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_request_loses_nothing(name: str, when: str) -> None:
    undisturbed = CrashAt()
    assert live(scenario(name, undisturbed)).violation is None
    broken = []
    for number in range(1, undisturbed.seen + 1):
        ended = live(scenario(name, CrashAt(number, when)))
        if ended.violation is not None:
            broken.append(f"request {number}: {ended.violation}\n{ended.story}")
    assert not broken, "\n\n".join(broken[:2])


@pytest.mark.parametrize("name", ["quick", "async"])
def test_a_quick_convergence_of_a_new_generation_is_one_write(name: str) -> None:
    assert live(scenario(name)).statuses == 1
