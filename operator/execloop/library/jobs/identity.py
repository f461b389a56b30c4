"""What makes two runs of a step the same one: a hash of its inputs."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop.library.jobs.model import Parameters, Step

__all__ = ["Instance", "instances", "job_name", "of_items", "pack", "parameters_key", "step_key", "undoing", "unpack"]

_DIGEST = 5
"""Bytes of an id: of 1,000 instances two have the same one with a probability below one in a million."""


class Instance(NamedTuple):
    """One run of a step: the step itself, or the step for one item."""

    step: Step
    id: str
    """Ten hexadecimal digits; with the same inputs the same."""
    position: int | None = None
    item: Any = None
    undoes: bool = False

    @property
    def label(self) -> str:
        """What messages and tasks call it."""
        place = "" if self.position is None else f"[{self.position}]"
        return f"{self.step.name}{place}"


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()


def parameters_key(parameters: Parameters) -> str:
    """Return the hash of all parameters."""
    return _digest(parameters.model_dump(mode="json"))


def step_key(step: Step, turn: int, before: Iterable[str]) -> str:
    """Return the hash of a step's own inputs: what it runs, which turn it is, and the steps that it follows."""
    output = step.outputs if isinstance(step.outputs, str | None) else step.outputs.config_map
    timeout = None if step.timeout is None else str(step.timeout)
    return _digest(step.name, step.template, timeout, output, turn, sorted(before))


def instances(step: Step, key: str, items: list[Any] | None) -> tuple[Instance, ...]:
    """Return the runs of a step. The same item twice gives two of them."""
    if items is None:
        return (Instance(step, key),)
    seen: dict[str, int] = {}
    found = []
    for index, item in enumerate(items):
        plain = _digest(key, item, 0)
        seen[plain] = nth = seen.get(plain, -1) + 1
        found.append(Instance(step, _digest(key, item, nth), index, item))
    return tuple(found)


def of_items(key: str, found: Iterable[Instance]) -> str:
    """Return the hash of a step together with its items."""
    return _digest(key, [each.id for each in found])


def undoing(instance: Instance) -> Instance:
    """Return the run that compensates another."""
    return instance._replace(id=_digest("undo", instance.id), undoes=True)


def job_name(plan: str, instance: Instance, attempt: int, owner: str) -> str:
    """Return the name of a Job: the same for the same attempt at the same inputs, so that it cannot exist twice."""
    digest = hashlib.blake2b(json.dumps([owner, instance.id, attempt]).encode(), digest_size=_DIGEST).hexdigest()
    name = f"{plan[:20]}-{instance.step.name[:20]}".strip("-.").replace(".", "-")
    return f"{name}-{digest}"


def pack(ids: Iterable[str]) -> str:
    """Return a set of ids as text of seven characters each."""
    return base64.b64encode(b"".join(bytes.fromhex(each) for each in sorted(ids))).decode()


def unpack(text: str) -> set[str]:
    """Return the set that `pack` wrote. Raises ValueError for other text."""
    raw = base64.b64decode(text, validate=True)
    return {raw[at : at + _DIGEST].hex() for at in range(0, len(raw), _DIGEST)}
