"""For the tests of your own plans. Standard library only; with pytest, the fixtures come by themselves."""

from execloop.testing.clock import FakeClock

__all__ = ["FakeClock"]
