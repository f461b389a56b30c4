"""What the list shows of a Plan: a few hundred bytes of an object that may have a hundred thousand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from execloop.controller.status.explain import CAUSES, KIND, dependencies, explain
from execloop.resource.fields import condition, state, status

if TYPE_CHECKING:
    from execloop.resource.fields import Plan

__all__ = ["BY_ATTENTION", "Summary"]

BY_ATTENTION: Final = (
    "Stalled",
    "NeedsApproval",
    "Retrying",
    "Waiting",
    "TearingDown",
    "Running",
    "New",
    "Suspended",
    "Previewed",
    "Converged",
)
"""Every state, what calls for a person first."""
_RANK: Final = {name: place for place, name in enumerate(BY_ATTENTION)}
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Summary:
    namespace: str
    name: str
    uid: str
    version: str = field(compare=False)
    """Two versions that look the same are equal: the list is not sent again."""
    plan: str
    state: str
    what: str
    """What it does or waits for, after its name: `has converged`."""
    why: str
    next: str
    """The next step, where a person has to act; empty elsewhere."""
    since: str
    """When the condition that decides its state became so."""
    progress: str
    errors: str
    created: str
    needs: tuple[tuple[str, str], ...]
    """Namespace and name of each Plan that it depends on."""
    text: str
    """What a search looks into."""

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def rank(self) -> int:
        return _RANK.get(self.state, len(_RANK))

    @classmethod
    def of(cls, plan: Plan) -> Summary:
        """Return the summary of a Plan as the API server holds it, whatever is wrong with it."""
        metadata, known, explanation = plan["metadata"], status(plan), explain(plan)
        namespace, name = str(metadata.get("namespace", "")), str(metadata["name"])
        spec = plan.get("spec")
        kind = str(spec.get("plan", "")) if isinstance(spec, dict) else ""
        message = "" if explanation.reason == "NotObserved" else explanation.why
        why = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"
        cause = CAUSES.get(explanation.reason)
        shown = state(plan)
        return cls(
            namespace,
            name,
            str(metadata.get("uid", "")),
            str(metadata.get("resourceVersion", "")),
            kind,
            shown if shown in _RANK else "New",
            explanation.what,
            why,
            explanation.next if cause is not None and cause.said else "",
            str(_decisive(plan).get("lastTransitionTime") or metadata.get("creationTimestamp") or ""),
            str(known.get("progress") or ""),
            str(known.get("errors") or ""),
            str(metadata.get("creationTimestamp") or ""),
            tuple((one.namespace, one.name) for one in dependencies(plan) if one.kind == KIND),
            f"{namespace}/{name} {kind} {explanation.reason} {why}".lower(),
        )


def _decisive(plan: Plan) -> dict[str, Any]:
    return condition(plan, "Suspended") or condition(plan, "Stalled") or condition(plan, "Ready")
