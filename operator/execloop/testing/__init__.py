"""The testing kit for plans. Standard library only; with pytest its fixtures are loaded automatically."""

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
