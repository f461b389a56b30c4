"""For the tests of your own plans. Standard library only; with pytest, fixtures come by themselves."""

from execloop.testing.clock import FakeClock
from execloop.testing.convergence import aconverge, assert_idempotent, converge
from execloop.testing.scripted import ScriptedPlan
from execloop.testing.survival import CrashPoint, InjectedError, Survival, survive_failures

__all__ = [
    "CrashPoint",
    "FakeClock",
    "InjectedError",
    "ScriptedPlan",
    "Survival",
    "aconverge",
    "assert_idempotent",
    "converge",
    "survive_failures",
]
