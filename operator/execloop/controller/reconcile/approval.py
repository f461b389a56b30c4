"""Whether tasks may run when a person is to approve them first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from execloop.controller.api.v1alpha1 import Approval, Pending
from execloop.controller.reconcile.digest import covered, digest, hashes
from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = ["Granted", "Withheld", "decide", "pending"]

NAMES_SHOWN = 20
_NAME_BYTES = 253


@dataclass(frozen=True, slots=True)
class Granted:
    execution: ExecutionStatus
    """With the approval that covers it."""
    now: bool
    """Whether it is this approval's first use."""


@dataclass(frozen=True, slots=True)
class Withheld:
    pending: Pending


def pending(case: ReconcileContext, execution: ExecutionStatus, names: Sequence[str]) -> Pending:
    shown = tuple(cut(name, _NAME_BYTES) for name in names[:NAMES_SHOWN])
    approves = digest(case.track.uid, execution.id, case.inputs, case.validated.code_version, names)
    return Pending(digest=approves, count=len(names), tasks=shown)


def decide(case: ReconcileContext, execution: ExecutionStatus, names: Sequence[str]) -> Granted | Withheld:
    """An approval covers its execution as long as no run asks for a name that was not approved."""
    given = execution.approval
    if given is not None and covered(names, given.tasks or "", given.digest):
        return Granted(execution, now=False)
    wanted = pending(case, execution, names)
    if case.track.approve != wanted.digest:
        return Withheld(wanted)
    approval = Approval(digest=wanted.digest, by=case.track.approved_by, tasks=hashes(names, wanted.digest) or None)
    return Granted(execution.model_copy(update={"approval": approval}), now=True)
