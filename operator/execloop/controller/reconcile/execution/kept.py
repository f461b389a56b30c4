"""What a plan keeps, `context.state` and `context.inventory`: checked, and put into the status.

The driver calls it after each run; `Runs` gives the plan what was kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from execloop._engine.errors import FatalError
from execloop._engine.execution import Failed
from execloop._plans.inventory import Inventory
from execloop.controller.status.explain import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop._engine.execution import Outcome
    from execloop.controller.plancode.redaction.redactor import Redactor
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = [
    "MOST_BYTES",
    "Kept",
    "Unkept",
    "changes",
    "checked",
    "inventory_of",
    "keeping",
    "keeps_more",
    "with_inventory",
]

MOST_BYTES: Final = 16 * 1024
_LONGEST_PATH: Final = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """It may be written."""

    state: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Unkept:
    """It may not be written; the message has no value of it."""

    error: FatalError


def checked(state: Mapping[str, Any], redactor: Redactor) -> Kept | Unkept:
    """Return a copy of what a plan keeps, or why it cannot be kept: not JSON, too large, or with a Secret's value."""
    try:
        text = json.dumps(dict(state), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError, RuntimeError) as error:
        return Unkept(FatalError(f"context.state must hold JSON values only ({type(error).__name__})"))
    if size > MOST_BYTES:
        most = f"at most {MOST_BYTES} are kept: keep less of it, or spread the work over several Plans"
        return Unkept(FatalError(f"context.state has {size} bytes{_mostly(state)}, {most}"))
    if redactor.text(text) != text:
        return Unkept(FatalError("context.state holds a value of a Secret: keep a name or a hash in its place"))
    return Kept(json.loads(text) or None)


def _mostly(state: Mapping[str, Any]) -> str:
    """Return where most of a state is, by its keys: for a plan of plans that is one of them."""
    path: list[str] = []
    inner: Any = state
    while isinstance(inner, dict) and inner:
        sizes = {key: len(json.dumps(value).encode()) for key, value in inner.items()}
        largest = max(sizes, key=lambda key: sizes[key])
        if 2 * sizes[largest] <= sum(sizes.values()):
            break
        path.append(str(largest))
        inner = inner[largest]
    return f" (most of them in {cut('.'.join(path), _LONGEST_PATH)})" if path else ""


def inventory_of(ctx: ReconcileContext) -> Inventory:
    """Return the inventory that a plan begins with.

    Where the stored status does not speak of the Plan as it is, another process may have ended before it wrote what
    it added: the plan is to recover it.
    """
    stored, redactor = ctx.snapshot.stored, ctx.resolved.redactor
    done = stored.observed_generation == ctx.snapshot.generation and stored.condition("Reconciling") is None
    return Inventory(
        ctx.snapshot.status.inventory or (),
        secret=lambda entry: redactor.text(entry) != entry,
        recover=not (done or ctx.work.state.recovered),
    )


def keeping(ctx: ReconcileContext, outcome: Outcome) -> tuple[ReconcileContext, Outcome]:
    """Take what the plan keeps into the status; what cannot be kept is fatal, since the plan would forget it."""
    made = ctx.work.plan_context
    if made is None:
        return ctx, outcome
    ctx.work.state.recover(done=not made.inventory.recover)
    ctx = with_inventory(ctx)
    if not made.state and ctx.snapshot.status.kept is None:
        return ctx, outcome
    match checked(made.state, ctx.resolved.redactor):
        case Kept(state):
            return ctx.with_status(kept=state), outcome
        case Unkept(error):
            return ctx, Failed(outcome.execution, error)


def with_inventory(ctx: ReconcileContext) -> ReconcileContext:
    """Return the context with the inventory as the plan has it by now."""
    made = ctx.work.plan_context
    if made is None:
        return ctx
    inventory = made.inventory.stored() or None
    return ctx if inventory is None and ctx.snapshot.status.inventory is None else ctx.with_status(inventory=inventory)


def changes(ctx: ReconcileContext) -> bool:
    """Return whether the plan that was made last has changed what it keeps."""
    made, status = ctx.work.plan_context, ctx.snapshot.status
    if made is None:
        return False
    try:
        return made.inventory.stored() != (status.inventory or ()) or made.state != (status.kept or {})
    except BaseException:  # noqa: BLE001 - a value of the plan's author compares as it likes
        return True


def keeps_more(ctx: ReconcileContext) -> bool:
    """Return whether the plan keeps something else than what is stored: that must not be lost."""
    ours, stored = ctx.snapshot.status, ctx.snapshot.stored
    return (ours.kept, ours.inventory) != (stored.kept, stored.inventory)
