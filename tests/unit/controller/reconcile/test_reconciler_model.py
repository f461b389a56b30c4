"""Whatever happens to a Plan, in whatever order: what its status says, and what runs, keeps to the rules."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from execloop import Task, task
from tests.controlling import Controller

NAMES = ("a", "b", "c")
TOLERATED, KEPT = 2, 3
MODES = ("Reconcile", "Once", "Preview")


class World:
    """Each name is done or not; some cannot be done for now."""

    def __init__(self, may_run: Callable[[str], str | None]) -> None:
        self.done: set[str] = set()
        self.broken: set[str] = set()
        self.unreachable = False
        self.mistakes: list[str] = []
        self._may_run = may_run

    def create(self) -> list[Task]:
        if self.unreachable:
            raise OSError("the world cannot be seen")
        return [task(name, partial(self._perform, name)) for name in NAMES if name not in self.done]

    def _perform(self, name: str) -> None:
        if why := self._may_run(name):
            self.mistakes.append(f"{name} ran although {why}")
        if name in self.broken:
            raise OSError(f"{name} is broken")
        self.done.add(name)


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.control = Controller(self.runner)
        self.world = World(self.why_not)
        self.control.plan(self.world)
        self.delay: float | None = 0.0

    def teardown(self) -> None:
        self.control.end()
        self.runner.close()

    def why_not(self, name: str) -> str | None:
        """Why a task must not run as the Plan stands in the cluster."""
        spec = self.spec
        if spec.get("suspend"):
            return "the Plan is suspended"
        if spec.get("mode") == "Preview":
            return "it is a preview"
        if spec.get("approval") == "Manual" and name not in self.approved:
            return "nobody approved it"
        return None

    @property
    def body(self) -> dict[str, Any]:
        return next(body for body in self.control.cluster.objects.values() if body.get("kind") == "Plan")

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["spec"]
        return found

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("status", {})
        return found

    @initialize(interval=st.sampled_from(["0s", "10s"]))
    def made(self, interval: str) -> None:
        self.approved: frozenset[str] = frozenset()
        backoff = {"initial": "1s", "max": "4s"}
        spec: dict[str, Any] = {
            "errorsToTolerate": TOLERATED,
            "historyLimit": KEPT,
            "interval": interval,
            "errorBackoff": backoff,
        }
        self.control.apply(**spec)

    @rule()
    def reconciles(self) -> None:
        before = len(self.control.written)
        self.delay = self.control.reconcile()
        assert len(self.control.written) - before <= 2  # that work goes on, and how it ended

    @rule()
    def waits_until_it_is_due(self) -> None:
        self.control.clock.advance(self.delay or 0.0)
        self.reconciles()

    @precondition(lambda self: self.delay is None or self.delay > 0)
    @rule()
    def is_left_alone(self) -> None:
        self.control.reconcile()
        before = len(self.control.written)
        again = self.control.reconcile()
        if again is None or again > 0:
            assert len(self.control.written) == before

    @rule(seconds=st.sampled_from([0.5, 3.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.control.clock.advance(seconds)

    @rule(number=st.integers(0, 3))
    def its_parameters_change(self, number: int) -> None:
        self.control.edit(parameters={"number": number})

    @rule(suspend=st.booleans())
    def it_is_suspended_or_not(self, suspend: bool) -> None:
        self.control.edit(suspend=suspend)

    @rule(mode=st.sampled_from(MODES), approval=st.sampled_from(["Automatic", "Manual"]))
    def its_mode_changes(self, mode: str, approval: str) -> None:
        self.control.edit(mode=mode, approval="Automatic" if mode == "Preview" else approval)

    @precondition(lambda self: "pending" in self.status)
    @rule()
    def what_is_pending_is_approved(self) -> None:
        pending = self.status["pending"]
        self.approved = frozenset(pending["tasks"])
        self.control.annotate(approve=pending["digest"])

    @rule()
    def something_else_is_approved(self) -> None:
        self.approved = frozenset()
        self.control.annotate(approve="0123")

    @rule(number=st.integers(0, 3))
    def a_reconcile_is_requested(self, number: int) -> None:
        self.control.annotate(requestedAt=str(number))

    @rule(name=st.sampled_from(NAMES))
    def the_world_drifts(self, name: str) -> None:
        self.world.done.discard(name)

    @rule(name=st.sampled_from(NAMES), broken=st.booleans())
    def something_breaks_or_is_mended(self, name: str, broken: bool) -> None:
        (self.world.broken.add if broken else self.world.broken.discard)(name)

    @rule(unreachable=st.booleans())
    def the_world_comes_and_goes(self, unreachable: bool) -> None:
        self.world.unreachable = unreachable

    @rule()
    def the_operator_restarts(self) -> None:
        self.control.start()

    @rule()
    def the_code_changes(self) -> None:
        self.control.code_version += "1"
        self.control.start()

    def conditions(self) -> Iterator[dict[str, Any]]:
        return iter(self.status.get("conditions", ()))

    @invariant()
    def nothing_ran_that_must_not(self) -> None:
        assert self.world.mistakes == []

    @invariant()
    def ready_and_stalled_exclude_each_other(self) -> None:
        assert len([c for c in self.conditions() if c["type"] in {"Ready", "Stalled"} and c["status"] == "True"]) <= 1

    @invariant()
    def no_generation_is_observed_before_it_is_there(self) -> None:
        generation = self.body["metadata"]["generation"] if self.control.cluster.objects else 0
        assert self.status.get("observedGeneration", -1) <= generation
        assert all(c["observedGeneration"] <= generation for c in self.conditions())

    @invariant()
    def the_budget_is_kept(self) -> None:
        assert self.status.get("execution", {}).get("errors", 0) <= TOLERATED + 1

    @invariant()
    def the_history_is_bounded(self) -> None:
        history = self.status.get("history", [])
        assert len(history) <= KEPT
        ids = [entry["id"] for entry in (self.status["execution"], *history)] if history else []
        assert len(set(ids)) == len(ids)

    @invariant()
    def what_awaits_approval_says_of_what(self) -> None:
        if any(c["reason"] == "ApprovalRequired" for c in self.conditions() if c["type"] == "Reconciling"):
            assert self.status["pending"]["count"] > 0


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
