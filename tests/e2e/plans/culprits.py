"""Plans that end the operator's container: what Kubernetes does to it is real here."""

from __future__ import annotations

import re

from execloop import Task, plan, task

_BLOCK = 32 * 1024 * 1024


@plan("eats-memory")
def eats_memory() -> list[Task]:
    """The kernel kills its container for memory."""
    return [task("eat", _eat)]


def _eat() -> None:
    blocks = [bytes([number % 255 + 1]) * _BLOCK for number in range(1024)]  # written to, so that they are really taken
    raise AssertionError(f"{len(blocks)} blocks fit into the container's limit")


@plan("hangs-interpreter")
def hangs_interpreter() -> list[Task]:
    """One call of native code keeps the interpreter: no probe is answered, and the kubelet kills the container."""
    return [task("hang", _hang)]


def _hang() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")
