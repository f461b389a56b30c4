"""What the operator holds of each Plan: its newest snapshot, and when it is due. The watch and the commit write it."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from execloop.controller.timing import FIRST_PROGRESS, Timeline, next_gap
from execloop.controller.watch.packed import Packed, conditions_of
from execloop.controller.watch.snapshot import FINALIZER, Key, Snapshot, identity_of, latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from execloop._engine.walk import Stop
    from execloop._plans.context import Context
    from execloop.controller.api.v1alpha1 import PlanStatus
    from execloop.controller.parameters.merge import Version
    from execloop.controller.timing import Times
    from execloop.controller.watch.packed import Conditions
    from execloop.controller.watch.references import Reference
    from execloop.controller.watch.snapshot import ExecutionIdentity

__all__ = ["FINALIZER", "Cache", "Change", "Key", "PlanState", "UnderWay"]


class Change(Enum):
    """What an event of the watch changed."""

    NOTHING = "nothing"
    CONCERN = "concern"
    """The Plan is due at once."""
    STATUS = "status"
    """Another client wrote the status: the Plan is due, with backoff."""


@dataclass(slots=True, eq=False)
class UnderWay:
    """One reconcile of a Plan, from the moment at which its snapshot is taken."""

    state: PlanState
    snapshot: Snapshot
    stop: Stop
    inputs: str | None = None
    """The fingerprint that it works on; None until the spec was validated and its references were read."""
    plan_context: Context | None = None
    """That of the plan that was made last; None before one was made."""
    known: set[ExecutionIdentity] = field(default_factory=set)
    """The executions that this process read or wrote, and None: any other in the status is another operator's."""
    reported: frozenset[Reference] = frozenset()
    """What the Plan refers to and is watched since before the reconcile began: a later change makes the Plan due."""

    def inform(self, inputs: str, versions: tuple[Version, ...]) -> None:
        """Take what the references came to."""
        self.inputs = inputs
        self.state.versions = versions

    def made(self, context: Context) -> None:
        """Note what the plan that was made writes its state and its inventory to."""
        self.plan_context = context


@dataclass(slots=True, eq=False)
class PlanState:
    """One Plan of one uid. Its methods are the only ones that assign what a reconcile decides."""

    held: Snapshot | Packed
    due: float | None = None
    """When the next run or observation is due, on the monotonic clock; None when nothing decided that."""
    seen: bool = False
    """Whether this process has reconciled the Plan: until then `nextRunAt` says when it is due."""
    under_way: UnderWay | None = None
    look_again: bool = False
    """Whether something that the plan manages changed after the last `create()` began."""
    repairs: str = ""
    """The drift that the execution at hand repairs; empty when no drift began it."""
    versions: tuple[Version, ...] = ()
    """Of the objects that the parameters came from, when they were read last."""
    failures: int = 0
    """Consecutive failures of the operator's own requests."""
    waits: int = 0
    """Consecutive reconciles that could do nothing yet."""
    foreign: int = 0
    """Consecutive statuses that another client wrote."""
    progress_gap: float = 0.0
    """Seconds between the last two writes of progress; 0 before the first."""
    progress_due: float = 0.0
    """When progress is written next, in seconds of the Plan's timeline."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What the plan's code remembers in this process, to save itself work."""
    recovered: bool = False
    """Whether a plan of this process has looked for what an ended one may have made and not written down."""
    ignored: str | None = None
    """The approval that does not match, once an Event said so."""
    logged: tuple[str | None, str] | None = None
    """The state and the reason of the last status that was looked at for the log; None before the first."""
    logged_reason: str = ""
    """The reason in that line; empty when the last status was no transition."""
    timeline: Timeline | None = None
    validation: Any = None
    """The generation and what its validation came to: reconcile/inputs/validation.py keeps it here."""
    unsaved: Any = None
    """The decision that the API server has not taken yet: reconcile/commit.py keeps it here."""
    sending: PlanStatus | None = None
    """The status that is on its way to the API server, or may have reached it though no answer came."""
    sent: dict[str, Any] | None = None  # the same in JSON

    @property
    def snapshot(self) -> Snapshot:
        """The newest known. A reconcile keeps the one that it began with."""
        return self.held.unpacked() if isinstance(self.held, Packed) else self.held

    @snapshot.setter
    def snapshot(self, newest: Snapshot) -> None:
        self.held = newest

    @property
    def key(self) -> Key:
        return self.held.key

    @property
    def uid(self) -> str:
        return self.held.uid

    @property
    def resource_version(self) -> str:
        return self.held.resource_version

    @property
    def version(self) -> int:
        """Return the resourceVersion as a number; 0 when it is none."""
        return int(self.resource_version) if self.resource_version.isdigit() else 0

    @property
    def conditions(self) -> Conditions:
        """Return the type and the status of each condition that the API server has."""
        return self.held.conditions if isinstance(self.held, Packed) else conditions_of(self.held.stored)

    @property
    def ahead(self) -> bool:
        """Return whether a decision waits to be written."""
        return isinstance(self.held, Snapshot) and self.held.status != self.held.stored

    @property
    def can_wait(self) -> bool:
        """Return whether its next reconcile is a check or a retry: it comes after new and edited Plans."""
        if isinstance(self.held, Packed) or self.failures:
            return True
        execution = self.held.execution
        return execution is None or execution.finished_at is not None or execution.failed_runs > 0

    def pack(self, unchanged: Packed | None = None) -> None:
        """Take little memory until the next reconcile; nothing is lost, and what can be computed again is dropped.

        `unchanged`: what was unpacked, where that still says the same.
        """
        if self.under_way is not None or self.unsaved is not None or isinstance(self.held, Packed):
            return
        execution = self.held.execution
        if execution is not None and execution.finished_at is None and self.seen:
            return  # it runs again soon
        written = self.sent if self.held.stored is self.sending else None
        if (packed := unchanged or Packed.of(self.held, written)) is not None:
            self.held, self.validation, self.sending, self.sent = packed, None, None, None

    # -- what the watch brings

    def observe(self, newest: Snapshot) -> Change:
        """Take a newer object, and say what it changed."""
        before = self.snapshot
        foreign = newest.stored not in (before.stored, before.status, self.sending)
        theirs = identity_of(newest.stored)
        others = foreign and theirs not in {None, identity_of(before.stored), identity_of(before.status)}
        # Another operator's execution is the one to continue; an edit by hand does not undo what was decided here.
        stored = before.stored if newest.stored == before.stored else newest.stored
        nothing_ahead = before.status == before.stored and not foreign
        ahead = stored if others or nothing_ahead else before.status
        self.snapshot = replace(newest, stored=stored, status=ahead)
        if others:
            self.unsaved, self.due = None, None
        if before.concern != newest.concern:
            self.foreign = 0
            return Change.CONCERN
        if foreign:
            self.foreign += 1
            self.change()  # its writer may know something of the world that this process does not
            return Change.STATUS
        return Change.NOTHING

    # -- what a reconcile does

    @contextmanager
    def working(self, stop: Stop, times: Times) -> Iterator[UnderWay]:
        """Begin a reconcile: from here on every change finds something to stop."""
        before, snapshot = self.held, self.snapshot
        self.snapshot = snapshot  # unpacked while it is worked on
        if self.timeline is None or snapshot.execution is None or snapshot.execution.finished_at is not None:
            self.timeline = Timeline(times, not_before=latest(snapshot.status))
        work = UnderWay(self, snapshot, stop, known={None, identity_of(snapshot.stored)})
        self.under_way = work
        try:
            yield work
        finally:
            self.under_way = None
            self.pack(before if isinstance(before, Packed) and self.held is snapshot else None)

    @property
    def now(self) -> float:
        """Return the Plan's own time, in seconds since the epoch: it neither jumps nor runs backwards."""
        assert self.timeline is not None
        return self.timeline.now()

    def decide(self, status: PlanStatus) -> None:
        """Take what was decided; the API server may learn of it later."""
        if status != self.snapshot.status:
            self.snapshot = self.snapshot.ahead(status)

    def drop_decision(self) -> None:
        """Keep what an overtaken decision counted and what the plan remembers, and nothing that it concluded."""
        decided, stored = self.snapshot.status, self.snapshot.stored
        update = {name: getattr(decided, name) for name in ("execution", "history", "kept", "inventory")}
        self.snapshot = replace(self.snapshot, status=stored.model_copy(update=update))
        self.unsaved = None

    def yield_to(self, stored: PlanStatus) -> None:
        """Continue with what another operator wrote."""
        self.snapshot = replace(self.snapshot, stored=stored, status=stored)
        self.unsaved, self.due = None, None

    def send(self, status: PlanStatus, written: dict[str, Any]) -> None:
        """Note what is sent, and how it is written: its event may come before its answer, or instead of it."""
        self.sending, self.sent = status, written

    def written(
        self,
        resource_version: str,
        stored: PlanStatus,
        finalizers: tuple[str, ...] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Take the answer to a write of our own, unless the watch has brought a newer object already."""
        if resource_version.isdigit() and int(resource_version) < self.snapshot.version:
            return
        kept = self.snapshot.finalizers if finalizers is None else finalizers
        noted = self.snapshot.annotations if annotations is None else annotations
        self.snapshot = replace(
            self.snapshot, resource_version=resource_version, stored=stored, finalizers=kept, annotations=noted
        )

    def schedule(self, due: float | None, *, waits: bool = False) -> None:
        """Set when the next run or observation is due, on the monotonic clock; `waits` keeps the count of waits."""
        self.due, self.seen = due, True
        if not waits:
            self.waits = 0

    def change(self) -> None:
        """Note that something which the plan manages changed: a Plan at rest is observed again."""
        self.look_again = True

    @property
    def awaits_the_world(self) -> bool:
        """Return whether the plan itself waits for something, which a change of what it manages may bring."""
        snapshot = self.snapshot
        reconciling, execution = snapshot.status.condition("Reconciling"), snapshot.execution
        unfinished = execution is not None and execution.finished_at is None
        return unfinished and reconciling is not None and reconciling.reason == "Waiting"

    def hasten(self, due: float) -> None:
        """Bring the next run forward to this time; a run that is due sooner stays."""
        self.due = due if self.due is None else min(due, self.due)

    def observing(self) -> None:
        """Note that `create()` is about to look: only a change from here on may be newer than what it sees."""
        self.look_again = False

    def recover(self, *, done: bool) -> None:
        """Note whether the plan knows all that an ended process may have made and not written down."""
        self.recovered = done

    def log(self, shown: tuple[str | None, str], reason: str) -> None:
        """Remember what the log says of the Plan, and the reason of its line."""
        self.logged, self.logged_reason = shown, reason

    def ignore(self, approve: str) -> bool:
        """Note an approval that does not match; return whether it is new."""
        new, self.ignored = approve != self.ignored, approve
        return new

    def wait(self) -> int:
        """Count a reconcile that could do nothing yet; return how many of them there were in a row."""
        self.waits += 1
        return self.waits

    def succeed(self) -> None:
        """Forget the failures: the next backoff begins at its first step."""
        self.failures = 0

    def fail(self) -> int:
        """Count a failure of the operator's own requests; return how many there were in a row."""
        self.failures += 1
        return self.failures

    def progress_wait(self, started: float) -> float:
        """Return the seconds until the progress of the execution that started then is written next."""
        if not self.progress_due:
            first = started + FIRST_PROGRESS
            self.progress_due = first if first > self.now else self.now + FIRST_PROGRESS
        return max(0.0, self.progress_due - self.now)

    def progress_written(self) -> None:
        """Double the gap to the next write of progress."""
        self.progress_gap = next_gap(self.progress_gap)
        self.progress_due = self.now + self.progress_gap

    def begin(self, repairs: str = "") -> None:
        """Forget what belongs to the execution before."""
        self.due, self.seen, self.repairs = None, True, repairs
        self.progress_gap = self.progress_due = 0.0


def _is_known(state: PlanState, metadata: Mapping[str, Any]) -> bool:
    """Return whether this is the object as it is known, such as the event of a write of our own."""
    return metadata.get("resourceVersion") == state.resource_version and metadata["uid"] == state.uid


def _ignore(_key: Key, _change: Change, _listed: bool) -> None:
    """Do nothing: the default of `Cache.changed`."""


class Cache:
    """The state of each key. An event older than what is known is dropped; a list is the truth.

    `changed` is called for each change, whether the watch, a list, or an answer to the operator brought it.
    """

    def __init__(self) -> None:
        self.changed: Callable[[Key, Change, bool], None] = _ignore
        self._states: dict[Key, PlanState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._states))

    def get(self, key: Key) -> PlanState | None:
        return self._states.get(key)

    def conditions(self) -> Counter[Conditions]:
        """Return how many Plans have each combination of conditions."""
        return Counter(state.conditions for state in self._states.values())

    def holds(self, key: Key, uid: str) -> bool:
        """Return whether the Plan of this key is known, and has this uid."""
        state = self._states.get(key)
        return state is not None and state.uid == uid

    def put(self, key: Key, body: dict[str, Any], *, listed: bool = False) -> Change:
        """Take an object of the watch, or of a list, and say what that changes."""
        change = self._put(key, body, listed=listed)
        if change is not Change.NOTHING:
            self.changed(key, change, listed)
        return change

    def _put(self, key: Key, body: dict[str, Any], *, listed: bool) -> Change:
        state = self._states.get(key)
        if state is not None and _is_known(state, body["metadata"]):
            return Change.NOTHING
        if state is None and listed and (packed := Packed.found(body)) is not None:  # there may be many, and they wait
            self._states[key] = PlanState(packed)
            return Change.CONCERN
        newest = Snapshot.of(body)
        if state is None or state.uid != newest.uid:
            if state is not None and newest.version < state.version and not listed:
                return Change.NOTHING
            if state is not None and state.under_way is not None:
                state.under_way.stop.request()
            self._states[key] = PlanState(newest)
            return Change.CONCERN
        if newest.version <= state.version and not listed:
            return Change.NOTHING
        change = state.observe(newest)
        state.pack()
        return change

    def drop(self, key: Key, uid: str | None = None) -> PlanState | None:
        """Forget a Plan, of this uid if one is given; return its state, None when another or none is known."""
        state = self._states.get(key)
        if state is None or (uid is not None and state.uid != uid):
            return None
        if state.under_way is not None:
            state.under_way.stop.request()
        return self._states.pop(key)
