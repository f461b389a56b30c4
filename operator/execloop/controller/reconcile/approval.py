"""What an approval is of, whether it covers the pending tasks, and which later runs it covers too.

`ExecutionDriver` asks it before a run, and during one for tasks that need an approval of their own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from execloop._engine.tasks import LONGEST_DETAIL, needs_approval
from execloop.controller.api.v1alpha1 import Approval, Pending
from execloop.controller.plancode.asked import Asked, ask
from execloop.controller.reconcile.preview import described
from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from execloop._engine.events import TaskPath
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = [
    "MOST_NAMES",
    "Granted",
    "TaskApproval",
    "Withheld",
    "covered",
    "decide",
    "digest",
    "hashes",
    "pending",
    "uncovered",
]

Identity: TypeAlias = "str | tuple[str, str]"
"""A name; with a hash of its detail, for a task that has one."""

_NAMES_SHOWN = 20
_NAME_BYTES = 253
_DETAILS_BYTES = 16 * 1024
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


class TaskApproval:
    """Withholds the tasks of one run that need an approval and have none; asked where plan code runs.

    What follows from a task that was approved is approved with it.
    """

    def __init__(self, ctx: ReconcileContext) -> None:
        self._cover = _Cover(ctx)
        self.withheld: list[Asked] = []
        self.covered: list[Asked] = []

    def __call__(self, place: TaskPath) -> bool:
        """Return whether the task at this place must not run. Raises what its detail raised."""
        if not needs_approval(place.task) or any(needs_approval(above.task) for above in place.lineage[:-1]):
            return False
        asked = ask(place.task)
        if asked.error is not None:
            raise asked.error
        withheld = not self._cover.covers((asked,))
        (self.withheld if withheld else self.covered).append(asked)
        return withheld


def pending(ctx: ReconcileContext, asked: Sequence[Asked]) -> Pending:
    """Return what waits for an approval: the digest is over the true names, the names shown are redacted."""
    return _pending(ctx, asked, _Cover(ctx).identities(asked))


def decide(ctx: ReconcileContext, asked: Sequence[Asked], also: Sequence[Asked] = ()) -> Granted | Withheld:
    """An approval covers its execution as long as no run asks for a task that was not approved, with the same code.

    A new one takes its place, and covers what `also` names, which the old one covered.
    """
    cover, code = _Cover(ctx), ctx.validated.code_version
    if cover.covers(asked):
        return Granted(ctx.execution, now=False)
    tasks = cover.identities(asked)
    wanted = _pending(ctx, asked, tasks)
    if ctx.snapshot.approve != wanted.digest:
        return Withheld(wanted)
    approval = Approval(
        digest=wanted.digest,
        by=ctx.snapshot.approved_by,
        code_version=code if ctx.spec.mode == "Once" else None,  # in any other mode the inputs hold it
        tasks=hashes((*tasks, *cover.identities(also)), wanted.digest) or None,
    )
    return Granted(ctx.execution.model_copy(update={"approval": approval}), now=True)


def uncovered(ctx: ReconcileContext, asked: Iterable[Asked]) -> tuple[Asked, ...]:
    """Return those that need an approval of their own and have none."""
    cover = _Cover(ctx)
    return tuple(one for one in asked if one.approval and one.error is None and not cover.covers((one,)))


def _pending(ctx: ReconcileContext, asked: Sequence[Asked], tasks: Sequence[Identity]) -> Pending:
    approves = digest(ctx.snapshot.uid, ctx.execution.id, ctx.inputs, ctx.validated.code_version, tasks)
    details, room = [], _DETAILS_BYTES
    for one in asked[:_NAMES_SHOWN]:
        shown = described(ctx, one, LONGEST_DETAIL)
        room -= len((shown.detail or "").encode(errors="replace"))
        if shown.detail and room >= 0:
            details.append(shown)
    names = tuple(cut(ctx.resolved.redactor.text(one.name), _NAME_BYTES) for one in asked[:_NAMES_SHOWN])
    return Pending(digest=approves, count=len(asked), tasks=names, details=tuple(details) or None)


class _Cover:
    """What the approval of the execution covers. A task is known by its name and, if it has one, by its detail.

    A text that holds a Secret's value goes through a slow keyed hash, so that the status gives nothing away.
    """

    def __init__(self, ctx: ReconcileContext) -> None:
        self._ctx, self._given = ctx, ctx.execution.approval

    def covers(self, asked: Iterable[Asked]) -> bool:
        given = self._given
        if given is None or given.code_version not in {None, self._ctx.validated.code_version}:
            return False
        return covered(self.identities(asked), given.tasks or "", given.digest)

    def identities(self, asked: Iterable[Asked]) -> tuple[Identity, ...]:
        return tuple(self._identity(one) for one in asked)

    def _identity(self, asked: Asked) -> Identity:
        redacted = self._ctx.resolved.redactor.text
        name = asked.name if redacted(asked.name) == asked.name else self._keyed(asked.name)
        if not asked.detail:
            return name
        plain = redacted(asked.detail) == asked.detail
        data = asked.detail.encode("utf-8", "surrogatepass")
        return name, hashlib.sha256(data).hexdigest() if plain else self._keyed(asked.detail)

    def _keyed(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()

    @cached_property
    def _key(self) -> bytes:
        ctx = self._ctx
        salt = f"{ctx.snapshot.uid}/{ctx.execution.id}".encode()
        return hashlib.scrypt(ctx.resolved.secrets_digest, salt=salt, n=2**13, r=8, p=1)


def digest(uid: str, execution_id: str, inputs: str, code_version: str, names: Sequence[Identity]) -> str:
    """Of the pending tasks, by name, detail and in order, on one Plan, in one execution, of these inputs and this code.

    So it approves nothing else: another Plan, execution, change or piece of work has another digest.
    """
    text = json.dumps([uid, execution_id, inputs, code_version, list(names)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def hashes(names: Iterable[Identity], approved: str) -> str:
    """The names that were approved, as the status keeps them: sorted, each once. Empty when there are too many.

    They are salted with the digest that was approved, so that nothing can be found in advance that fits.
    """
    kept = sorted({_hash(name, approved) for name in names})
    return "".join(kept) if len(kept) <= MOST_NAMES else ""


def covered(names: Iterable[Identity], kept: str, approved: str) -> bool:
    """Whether these tasks are all among those approved.

    Where there were too many to keep (`kept` is empty) nothing is: an approval then goes by its digest alone.
    """
    known = _known(kept)
    return all(_hash(name, approved) in known for name in names)


@lru_cache(maxsize=8)
def _known(kept: str) -> frozenset[str]:
    return frozenset(kept[start : start + _WIDTH] for start in range(0, len(kept), _WIDTH))


def _hash(name: Identity, salt: str) -> str:
    data = json.dumps([salt, name]).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest())[:_WIDTH].decode()
