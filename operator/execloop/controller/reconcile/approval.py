"""What an approval is of, whether it covers the pending tasks, and which later runs it covers too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from execloop.controller.api.v1alpha1 import Approval, Pending
from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from execloop._engine.tasks import AnyTask
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = ["MOST_NAMES", "Granted", "Withheld", "covered", "decide", "digest", "hashes", "pending"]

_NAMES_SHOWN = 20
_NAME_BYTES = 253
MOST_NAMES: Final = 2_000
"""More names than this are not remembered: 8 characters each are what the status has room for."""

_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Granted:
    execution: ExecutionStatus
    """With the approval that covers it."""
    now: bool
    """Whether it is this approval's first use."""


@dataclass(frozen=True, slots=True)
class Withheld:
    pending: Pending


def pending(ctx: ReconcileContext, tasks: Sequence[AnyTask]) -> Pending:
    """Return what waits for an approval: the digest is over the true names, the names shown are redacted."""
    approves = digest(ctx.snapshot.uid, ctx.execution.id, ctx.inputs, ctx.validated.code_version, _true(ctx, tasks))
    shown = tuple(cut(name, _NAME_BYTES) for name in ctx.names(tasks[:_NAMES_SHOWN]))
    return Pending(digest=approves, count=len(tasks), tasks=shown)


def decide(ctx: ReconcileContext, tasks: Sequence[AnyTask]) -> Granted | Withheld:
    """An approval covers its execution as long as no run asks for a name that was not approved, with the same code."""
    names, execution, code = _true(ctx, tasks), ctx.execution, ctx.validated.code_version
    given = execution.approval
    if given is not None and given.code_version in {None, code} and covered(names, given.tasks or "", given.digest):
        return Granted(execution, now=False)
    wanted = pending(ctx, tasks)
    if ctx.snapshot.approve != wanted.digest:
        return Withheld(wanted)
    approval = Approval(
        digest=wanted.digest,
        by=ctx.snapshot.approved_by,
        code_version=code if ctx.spec.mode == "Once" else None,  # in any other mode the inputs hold it
        tasks=hashes(names, wanted.digest) or None,
    )
    return Granted(execution.model_copy(update={"approval": approval}), now=True)


def _true(ctx: ReconcileContext, tasks: Iterable[AnyTask]) -> tuple[str, ...]:
    """Return the names; one that holds a Secret's value goes through a slow keyed hash, which tells nothing of it."""
    names = tuple(str(task.name) for task in tasks)
    shown = ctx.names(tasks)
    if names == shown:
        return names
    salt = f"{ctx.snapshot.uid}/{ctx.execution.id}".encode()
    key = hashlib.scrypt(ctx.resolved.secrets_digest, salt=salt, n=2**13, r=8, p=1)
    return tuple(
        name if name == seen else hmac.new(key, name.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        for name, seen in zip(names, shown, strict=True)
    )


def digest(uid: str, execution_id: str, inputs: str, code_version: str, names: Sequence[str]) -> str:
    """Of the pending tasks, by name and in order, on one Plan, in one execution, of these inputs and this code.

    So it approves nothing else: another Plan, execution, change or piece of work has another digest.
    """
    text = json.dumps([uid, execution_id, inputs, code_version, list(names)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def hashes(names: Iterable[str], approved: str) -> str:
    """The names that were approved, as the status keeps them: sorted, each once. Empty when there are too many.

    They are salted with the digest that was approved, so that nothing can be found in advance that fits.
    """
    kept = sorted({_hash(name, approved) for name in names})
    return "".join(kept) if len(kept) <= MOST_NAMES else ""


def covered(names: Iterable[str], kept: str, approved: str) -> bool:
    """Whether these tasks are all among those approved.

    Where there were too many to keep (`kept` is empty) nothing is: an approval then goes by its digest alone.
    """
    known = {kept[start : start + _WIDTH] for start in range(0, len(kept), _WIDTH)}
    return all(_hash(name, approved) in known for name in names)


def _hash(name: str, salt: str) -> str:
    data = json.dumps([salt, name]).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest())[:_WIDTH].decode()
