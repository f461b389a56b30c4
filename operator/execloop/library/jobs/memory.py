"""What became of each run of a step, in `context.state`: it outlives Jobs, pods and the operator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from execloop.library.jobs.identity import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from execloop.library.jobs.identity import Instance

__all__ = ["MOST_BYTES", "Memory"]

MOST_BYTES = 15 * 1024
"""The operator keeps 16 KiB; the rest is for what no output makes larger."""
_MOST_CAUSES = 5
_SETS = ("started", "done", "failed", "undone")


class Memory:
    """Sets of ids, the number of failed attempts, and outputs. Every change is in the state at once."""

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        self._state = state
        self._sets = {name: unpack(state.get(name, "")) for name in _SETS}
        self._attempts = {id_: int(n) for n, ids in state.get("attempts", {}).items() for id_ in unpack(ids)}
        self.recorded = frozenset(self._sets["done"] | self._sets["undone"])
        """What ended well before this plan was made: it is in the status by now."""
        self.recorded_attempts = dict(self._attempts)

    @property
    def settled(self) -> str | None:
        """The hash of the parameters with which nothing was left to do."""
        return self._state.get("settled")

    @settled.setter
    def settled(self, key: str) -> None:
        self._state["settled"] = key

    def begin(self, execution: str) -> bool:
        """Let what failed be tried again in a new execution, and what was undone run; return whether it is new."""
        if self._state.get("execution") == execution:
            return False
        self._state["execution"] = execution
        if self._sets["failed"] or self._sets["undone"]:
            self._state.pop("settled", None)
        for step in self._state.pop("compensated", []):
            self.turn_again(step)
        self._state.pop("causes", None)
        self._put("failed", set())
        self._put("undone", set())
        return True

    def turn(self, step: str) -> int:
        """Return how often a step was asked to run again with the same inputs."""
        return int(self._state.get("turns", {}).get(step, 0))

    def skip(self, step: str) -> None:
        """Take a step as done, whatever became of its runs, for as long as its inputs stay."""
        self._state["skips"] = {**self._state.get("skips", {}), step: ""}
        self._state.pop("settled", None)

    def skips(self, step: str, key: str) -> bool:
        """Return whether a step with these inputs is skipped. The first inputs after the request are those meant."""
        skips = self._state.get("skips", {})
        if skips.get(step) == "":
            self._state["skips"] = skips = {**skips, step: key}
        return step in skips and skips[step] == key

    def turn_again(self, step: str) -> None:
        self._state["turns"] = {**self._state.get("turns", {}), step: self.turn(step) + 1}
        self._state.pop("settled", None)

    def has(self, kind: str, instance: Instance) -> bool:
        return instance.id in self._sets[kind]

    def succeeded(self, id_: str) -> bool:
        return id_ in self._sets["done"] or id_ in self._sets["undone"]

    def failed(self, id_: str) -> bool:
        return id_ in self._sets["failed"]

    def attempts(self, instance: Instance) -> int:
        """Return how many attempts have failed."""
        return self._attempts.get(instance.id, 0)

    def start(self, instance: Instance) -> None:
        self._put("started", self._sets["started"] | {instance.id})

    def finish(self, instance: Instance, output: Any = None) -> bool:
        """Record a success; return False when its output does not fit."""
        if output is not None:
            outputs = {**self._state.get("outputs", {}), instance.id: output}
            if _size({**self._state, "outputs": outputs}) > MOST_BYTES:
                return False
            self._state["outputs"] = outputs
        self._put("started", self._sets["started"] - {instance.id})
        kind = "undone" if instance.undoes else "done"
        self._put(kind, self._sets[kind] | {instance.id})
        self._count(instance, 0)
        return True

    def fail(self, instance: Instance, *, for_good: bool, cause: str | None = None) -> None:
        """Record a failed attempt, and a cause that no pod can tell later."""
        if cause is not None and len(causes := self._state.get("causes", {})) < _MOST_CAUSES:
            self._state["causes"] = {**causes, instance.id: cause}
        self._count(instance, self.attempts(instance) + 1)
        self._put("started", self._sets["started"] - {instance.id})
        if for_good:
            self._put("failed", self._sets["failed"] | {instance.id})

    @property
    def undone_steps(self) -> list[str]:
        return list(self._state.get("compensated", []))

    def compensated(self, step: str) -> None:
        """Record that all of a step was undone, so that the next execution runs it again."""
        self._state["compensated"] = sorted({*self._state.get("compensated", []), step})

    def cause(self, instance: Instance) -> str | None:
        cause: str | None = self._state.get("causes", {}).get(instance.id)
        return cause

    def output(self, instance: Instance) -> Any:
        return self._state.get("outputs", {}).get(instance.id)

    def keep_only(self, current: Iterable[str]) -> None:
        """Forget what is of no step any more, once nothing is left to do."""
        ids = set(current)
        for name in _SETS:
            self._put(name, self._sets[name] & ids)
        outputs = {key: value for key, value in self._state.get("outputs", {}).items() if key in ids}
        self._set("outputs", outputs)
        self._attempts = {id_: count for id_, count in self._attempts.items() if id_ in ids}
        self._group()

    def _count(self, instance: Instance, attempts: int) -> None:
        before = self._attempts.pop(instance.id, 0)
        if attempts:
            self._attempts[instance.id] = attempts
        if before or attempts:
            self._group()

    def _group(self) -> None:
        """Group ids by their number of failed attempts: that is shorter than a number for each."""
        groups: dict[str, set[str]] = {}
        for id_, count in self._attempts.items():
            groups.setdefault(str(count), set()).add(id_)
        self._set("attempts", {count: pack(ids) for count, ids in groups.items()})

    def _put(self, name: str, ids: set[str]) -> None:
        self._sets[name] = ids
        self._set(name, pack(ids))

    def _set(self, name: str, value: Any) -> None:
        if value:
            self._state[name] = value
        else:
            self._state.pop(name, None)


def _size(state: MutableMapping[str, Any]) -> int:
    return len(json.dumps(dict(state), ensure_ascii=False).encode("utf-8", "surrogatepass"))
