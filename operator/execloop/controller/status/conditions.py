"""The conditions of a Plan's status: every row of the table, in one pure function.

The decisions of a reconcile call `advance` with the state that they reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from execloop.controller.api.v1alpha1 import Condition, PlanStatus
from execloop.controller.status.explain import cut, sentence, shortened

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "MESSAGE_BYTES",
    "Awaiting",
    "Done",
    "Kept",
    "Progressing",
    "Retrying",
    "Stalled",
    "State",
    "TeardownFailed",
    "TearingDown",
    "Waiting",
    "advance",
    "cut",
    "has",
    "is_ready",
    "while_tearing_down",
]

MESSAGE_BYTES: Final = 1024
_COLUMN_BYTES: Final = 100
"""Of a cause in Ready's message, where Stalled or Reconciling has all of it: `kubectl get plans` has it as a column."""


@dataclass(frozen=True, slots=True)
class Progressing:
    """Running, or sleeping between runs. `failed` once a run of this execution had an error."""

    message: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Retrying:
    """An error was tolerated, or something is waited for: it is tried again."""

    reason: str
    message: str
    unreported: bool = False
    """Whether its end changes no object that the Plan refers to: a right, or a service account."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Tasks remain, and are not approved yet."""

    message: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The plan itself waits for something, and says for what."""

    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do for this generation."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """It does not continue until something changes."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Suspended: what was known stays. `settled` when the work of this generation was done before."""

    settled: bool
    message: str = "spec.suspend is true"


@dataclass(frozen=True, slots=True)
class TearingDown:
    """Deleted, and what it made is being undone; `retrying` after an error, or while something is waited for."""

    message: str
    retrying: bool = False


@dataclass(frozen=True, slots=True)
class TeardownFailed:
    """Deleted, and its teardown does not continue until something changes."""

    message: str


State: TypeAlias = Progressing | Retrying | Awaiting | Waiting | Done | Stalled | Kept | TearingDown | TeardownFailed
_LEAVING = (TearingDown, TeardownFailed)
_Status: TypeAlias = Literal["True", "False", "Unknown"]
_Wanted: TypeAlias = "dict[str, tuple[_Status, str, str]]"


def _conditions(state: State, before: PlanStatus) -> _Wanted:  # noqa: PLR0911 - one row of the table each
    """Type to (status, reason, message); what is not here is taken away."""
    match state:
        case Progressing(message, failed):
            ready: _Status = "False" if failed else "Unknown"
            reason = _failure(before) if failed else "Progressing"
            return {"Ready": (ready, reason, message), "Reconciling": ("True", "Progressing", message)}
        case Retrying(reason, message):
            return {"Ready": ("False", reason, message), "Reconciling": ("True", "ProgressingWithRetry", message)}
        case Awaiting(message):
            return {
                "Ready": ("Unknown", "ApprovalRequired", message),
                "Reconciling": ("True", "ApprovalRequired", message),
            }
        case Waiting(message):
            return {"Ready": ("Unknown", "Waiting", message), "Reconciling": ("True", "Waiting", message)}
        case Done(reason, message):
            return {"Ready": ("True", reason, message)}
        case Stalled(reason, message):
            return {"Ready": ("False", reason, message), "Stalled": ("True", reason, message)}
        case TearingDown(message, retrying):
            reason = "ProgressingWithRetry" if retrying else "TearingDown"
            return {"Ready": ("False", "TearingDown", message), "Reconciling": ("True", reason, message)}
        case TeardownFailed(message):
            return {"Ready": ("False", "TearingDown", message), "Stalled": ("True", "TeardownFailed", message)}
        case Kept(settled, message):
            return _kept(before, message, settled=settled)


def _for_a_column(wanted: _Wanted) -> _Wanted:
    """Shorten Ready's message where another condition has the same one."""
    status, reason, message = wanted.get("Ready", ("Unknown", "", ""))
    same = next((other for kind, other in wanted.items() if kind != "Ready" and other[2] == message), None)
    if same is None:
        return wanted
    advice = same[1] if same[1] == "TeardownFailed" else reason
    return {**wanted, "Ready": (status, reason, shortened(advice, message, _COLUMN_BYTES))}


def _kept(before: PlanStatus, message: str, *, settled: bool) -> _Wanted:
    """What is left of the conditions while a Plan is suspended."""
    kept: _Wanted = {
        c.type: (c.status, c.reason, c.message) for c in before.conditions if c.type in {"Ready", "Stalled"}
    }
    if not kept and not settled:
        kept["Ready"] = ("Unknown", "Suspended", "suspended before its first run")
    return kept | {"Suspended": ("True", "Suspended", message)}


def _advised(state: State) -> State:
    """The state with the next step in its message, where a person has to act."""
    match state:
        case Retrying(reason, message):
            return Retrying(reason, sentence(reason, message, MESSAGE_BYTES))
        case Stalled(reason, message):
            return Stalled(reason, sentence(reason, message, MESSAGE_BYTES))
        case Awaiting(message):
            return Awaiting(sentence("ApprovalRequired", message, MESSAGE_BYTES))
        case TeardownFailed(message):
            return TeardownFailed(sentence("TeardownFailed", message, MESSAGE_BYTES))
        case _:
            return state


def _failure(before: PlanStatus) -> str:
    """What the last error of the execution was, for as long as it lasts."""
    known = next((c for c in before.conditions if c.type == "Ready" and c.status == "False"), None)
    return known.reason if known and known.reason in {"TasksFailed", "CreateFailed"} else "TasksFailed"


def while_tearing_down(state: State) -> State:
    """What a state of an execution means for a Plan that is being deleted."""
    match state:
        case Progressing(message, failed):
            return TearingDown(message, failed)
        case Waiting(message) | Awaiting(message):
            return TearingDown(message)
        case Retrying(_, message):
            return TearingDown(message, retrying=True)
        case Stalled(reason, message):
            return TeardownFailed(f"{reason}: {message}")
        case _:
            return state


def has(status: PlanStatus, kind: str) -> bool:
    """Whether a condition of this type is there; all but Ready are there only when True."""
    return any(c.type == kind for c in status.conditions)


def is_ready(status: PlanStatus) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in status.conditions)


def advance(before: PlanStatus, state: State, generation: int, now: datetime) -> PlanStatus:
    """Return the status with the conditions of a state, which was found with this generation of the spec.

    `observedGeneration` is that generation, so that kstatus shows what Reconciling says; a suspension with work to do
    and a teardown leave it, since nothing was done for the generation. `lastTransitionTime` moves with a condition's
    status alone.
    """
    unsettled = isinstance(state, Kept) and not state.settled
    known = {condition.type: condition for condition in before.conditions}
    conditions = []
    for kind, (status, reason, message) in _for_a_column(_conditions(_advised(state), before)).items():
        old = known.get(kind)
        kept = unsettled and old is not None and kind != "Suspended"
        conditions.append(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=cut(message, MESSAGE_BYTES),
                last_transition_time=old.last_transition_time if old and old.status == status else now,
                observed_generation=old.observed_generation if kept and old else generation,
            )
        )
    observed = before.observed_generation if unsettled or isinstance(state, _LEAVING) else generation
    return before.model_copy(update={"conditions": tuple(conditions), "observed_generation": observed})
