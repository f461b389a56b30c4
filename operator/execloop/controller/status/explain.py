"""Why a Plan is as it is, and what to do: one causal chain for kubectl, the command, the page and Events. Pure.

`sentence` writes the next step into a condition's message; `explain` reads a Plan, and the Plans that it depends on,
as plain dicts. No text has a time in it: a message that stays the same is not written again. The command and the page
add times. Cheap to import: the command starts with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "CAUSES",
    "KIND",
    "Cause",
    "Explanation",
    "Reference",
    "cut",
    "dependencies",
    "explain",
    "sentence",
    "shortened",
]

KIND: Final = "Plan"
_API: Final = "execloop.dev/v1alpha1"
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Cause:
    """What a reason means. `what` follows the Plan's name."""

    what: str
    next: str
    said: bool = False
    """Whether the condition's message ends with the next step: where a person has to act."""


CAUSES: Final[Mapping[str, Cause]] = {
    "Converged": Cause("has converged", "nothing to do; the operator looks again after spec.interval"),
    "Previewed": Cause("has been previewed", "read status.pending; to run these tasks set spec.mode to Reconcile"),
    "Progressing": Cause("runs its tasks", "nothing to do; the operator runs them"),
    "TasksFailed": Cause(
        "tries again after errors of its tasks", "fix the cause if it lasts; the operator tries again until then"
    ),
    "CreateFailed": Cause(
        "tries again after an error of create()", "fix the cause if it lasts; the operator tries again until then"
    ),
    "DependencyNotReady": Cause("waits for what it depends on", "make it ready, or remove it from spec.dependsOn"),
    "DependencyCycle": Cause(
        "waits for itself", "remove one of these Plans from the spec.dependsOn of another", said=True
    ),
    "ParametersNotFound": Cause(
        "waits for its parameters", "create it, allow reading it, or make the source optional", said=True
    ),
    "ServiceAccountNotFound": Cause(
        "waits for its service account", "create it, or change spec.serviceAccountName", said=True
    ),
    "ApprovalRequired": Cause("waits for an approval", "approve with `execloop approve`", said=True),
    "Waiting": Cause(
        "waits, as its plan asks", "nothing to do unless it takes too long; the operator asks the plan again"
    ),
    "ErrorsExceeded": Cause("has stalled", "fix the cause, then run `execloop reconcile`", said=True),
    "FatalError": Cause("has stalled: a fatal error", "fix the cause, then run `execloop reconcile`", said=True),
    "ExecutionTimeout": Cause(
        "has stalled: its execution timed out",
        "fix what is slow or raise spec.executionTimeout, then run `execloop reconcile`",
        said=True,
    ),
    "NotConverging": Cause(
        "has stalled: its tasks change nothing", "fix the plan, then run `execloop reconcile`", said=True
    ),
    "PlanCrashes": Cause(
        "has stalled: its runs end the operator's process",
        "fix the plan or raise the operator's memory limit, then run `execloop reconcile`",
        said=True,
    ),
    "InvalidSpec": Cause("has stalled: its spec is not valid", "correct the field", said=True),
    "UnknownPlan": Cause(
        "has stalled: the operator has no such plan", "correct spec.plan, or install the plan in the image", said=True
    ),
    "InvalidParameters": Cause("has stalled: its parameters are not valid", "correct the parameters", said=True),
    "AccessDenied": Cause(
        "has stalled: it is not allowed", "ask the operator's administrator, or change the spec", said=True
    ),
    "NotSupported": Cause(
        "has stalled: its plan cannot do that", "change the field, or use a plan that supports it", said=True
    ),
    "TearingDown": Cause("is being torn down", "nothing to do; the Plan goes when nothing is left to undo"),
    "TeardownFailed": Cause(
        "cannot be torn down",
        "fix the cause, or delete it without its teardown: the annotation execloop.dev/abandon=true",
        said=True,
    ),
    "Suspended": Cause("is suspended", "to continue run `execloop resume`"),
    "NotObserved": Cause(
        "has not been seen by an operator", "see that an operator runs for this namespace: `execloop check`"
    ),
}


class Reference(NamedTuple):
    """An object that a Plan depends on."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One Plan's link of the chain; `because` has the links of what it waits for."""

    subject: str
    reason: str
    what: str
    why: str
    next: str
    outdated: bool = False
    """Whether this is of an older spec than the Plan has now."""
    because: tuple[Explanation, ...] = ()

    @property
    def anchor(self) -> str:
        """Where in docs/troubleshoot.md the reason has its section."""
        return self.reason.lower()

    @property
    def roots(self) -> tuple[Explanation, ...]:
        """The links that wait for no other: there something is to be done."""
        return tuple(root for link in self.because for root in link.roots) or (self,)


def cut(text: str, most: int = 1024) -> str:
    """Return at most so many bytes of UTF-8, with an ellipsis where something is missing."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    return data[: most - 3].decode(errors="ignore") + "…"


def sentence(reason: str, detail: str, most: int) -> str:
    """Return a condition's message: the detail, and the next step where a person has to act; once, and in `most` bytes.

    What does not fit is taken from the detail.
    """
    ending = _ending(reason)
    return cut(detail.removesuffix(ending), most - len(ending.encode())) + ending


def shortened(reason: str, message: str, most: int) -> str:
    """Return a message of `sentence` with at most so many bytes of the detail, and the whole next step."""
    ending = _ending(reason)
    return cut(message.removesuffix(ending), most) + ending if message.endswith(ending) else cut(message, most)


def _ending(reason: str) -> str:
    cause = CAUSES.get(reason)
    return f"; {cause.next}" if cause is not None and cause.said else ""


def explain(plan: Mapping[str, Any], others: Mapping[Reference, Mapping[str, Any] | None] | None = None) -> Explanation:
    """Explain a Plan as the API server returned it. `others`: the Plans it depends on, None for one not found."""
    return _explain(plan, others or {}, ())


def dependencies(plan: Mapping[str, Any]) -> Iterator[Reference]:
    """Yield what a Plan's spec says it depends on, whatever else is wrong with that spec."""
    spec, namespace = _mapping(plan.get("spec")), _mapping(plan.get("metadata")).get("namespace", "")
    wanted = spec.get("dependsOn")
    for one in wanted if isinstance(wanted, list) else ():
        if isinstance(one, dict) and one.get("name"):
            place = str(one.get("namespace") or namespace)
            yield Reference(str(one.get("apiVersion") or _API), str(one.get("kind") or KIND), place, str(one["name"]))


def _explain(
    plan: Mapping[str, Any], others: Mapping[Reference, Mapping[str, Any] | None], above: tuple[Reference, ...]
) -> Explanation:
    metadata = _mapping(plan.get("metadata"))
    here = Reference(_API, KIND, str(metadata.get("namespace", "")), str(metadata.get("name", "")))
    conditions = _conditions(plan)
    reason, message = _deciding(conditions, metadata)
    cause = CAUSES.get(reason) or Cause(f"is not ready: {reason}", "see its conditions and Events")
    chain = (*above, here)
    because = tuple(_links(plan, others, chain)) if reason == "DependencyNotReady" and len(chain) < _DEEPEST else ()
    return Explanation(
        f"{here.namespace}/{here.name}",
        reason,
        cause.what,
        message.removesuffix(f"; {cause.next}"),
        cause.next,
        _outdated(metadata, conditions),
        because,
    )


def _links(
    plan: Mapping[str, Any], others: Mapping[Reference, Mapping[str, Any] | None], chain: tuple[Reference, ...]
) -> Iterator[Explanation]:
    for one in dependencies(plan):
        if one in chain or one not in others:
            continue
        found = others[one]
        if found is None:
            yield Explanation(str(one), "DependencyNotReady", "is not found", "", f"create it, or {_NOT_NEEDED}")
        elif one.kind == KIND and not _is_ready(found):
            yield _explain(found, others, chain)


_NOT_NEEDED = "remove it from spec.dependsOn"


def _deciding(conditions: Mapping[str, Mapping[str, Any]], metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Return the reason that matters most, and its message."""
    if (suspended := conditions.get("Suspended")) is not None:
        return "Suspended", _suspended(metadata) or str(suspended.get("message", ""))
    if (stalled := conditions.get("Stalled")) is not None:
        return str(stalled.get("reason", "")), str(stalled.get("message", ""))
    if (ready := conditions.get("Ready")) is not None:
        whole = conditions.get("Reconciling", ready)  # of a long message Ready has the beginning
        return str(ready.get("reason", "")), str(whole.get("message", ""))
    return "NotObserved", "its status has no conditions"


def _suspended(metadata: Mapping[str, Any]) -> str:
    """Return who suspended it and why, as they said."""
    annotations = _mapping(metadata.get("annotations"))
    by, reason = (annotations.get(f"execloop.dev/suspend-{name}") for name in ("by", "reason"))
    return ": ".join(str(part) for part in (f"by {by}" if by else "", reason) if part)


def _outdated(metadata: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    generation = metadata.get("generation")
    seen = [found.get("observedGeneration") for found in conditions.values()]
    return bool(seen) and generation is not None and all(one is not None and one < generation for one in seen)


def _is_ready(plan: Mapping[str, Any]) -> bool:
    ready, metadata = _conditions(plan).get("Ready", {}), _mapping(plan.get("metadata"))
    observed = _mapping(plan.get("status")).get("observedGeneration")
    return ready.get("status") == "True" and observed == metadata.get("generation")


def _conditions(plan: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = _mapping(plan.get("status")).get("conditions")
    return {str(one.get("type")): one for one in found or () if isinstance(one, dict)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
