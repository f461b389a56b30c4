"""What is kept of a Plan at rest: there may be 100,000 of them."""

import gc
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from execloop.controller.api.v1alpha1 import PlanStatus
from execloop.controller.watch.cache import Key
from execloop.testing import FakeClock
from tests.controlling import NAMESPACE, Controller


def reached(start: object) -> Iterator[Any]:
    """All that an object keeps alive alone or with others, but for code and clocks."""
    seen, found = set[int](), [start]
    while found:
        each = found.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | FakeClock):
            continue
        seen.add(id(each))
        yield each
        if not hasattr(each, "__self__"):
            found += gc.get_referents(each)


def test_a_plan_at_rest_keeps_its_status_in_packed_form_alone(control: Controller) -> None:
    control.apply(interval="10m")
    control.settle()
    state = control.cache.get(Key(NAMESPACE, "a"))
    kept = [each for each in reached(state) if isinstance(each, PlanStatus)]
    assert kept == []


def test_a_plan_at_rest_takes_less_than_three_kilobytes(control: Controller) -> None:
    control.apply(interval="10m")
    control.settle()
    assert sum(map(sys.getsizeof, reached(control.cache.get(Key(NAMESPACE, "a"))))) < 3 * 1024
