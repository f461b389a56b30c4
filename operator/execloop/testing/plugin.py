"""Fixtures for pytest. Loaded in every test session of an environment with execloop, so it imports late."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Report
    from execloop.listeners import Recorder
    from execloop.testing.clock import FakeClock

__all__ = ["converge", "fake_clock", "recorder"]


@pytest.fixture
def fake_clock() -> FakeClock:
    """Time that moves when the engine sleeps, or when a test advances it."""
    from execloop.testing.clock import FakeClock  # noqa: PLC0415 - not before a test asks for it

    return FakeClock()


@pytest.fixture
def recorder() -> Recorder:
    """A listener that keeps what happened; what the fixture `converge` does is kept here too."""
    from execloop.listeners import Recorder  # noqa: PLC0415 - not before a test asks for it

    return Recorder()


@pytest.fixture
def converge(fake_clock: FakeClock, recorder: Recorder) -> Callable[..., Report]:
    """`execloop.testing.converge`, on the clock `fake_clock`, with `recorder` listening."""
    from execloop.testing.convergence import converge  # noqa: PLC0415 - not before a test asks for it

    return functools.partial(converge, clock=fake_clock, listeners=(recorder,))
