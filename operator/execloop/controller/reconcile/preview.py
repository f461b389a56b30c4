"""Answer the annotation execloop.dev/preview: what a run would do now. Nothing of it runs.

`ExecutionDriver.answer` calls it with what the plan returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._engine.execution import CreateFailed, Failed
from execloop.controller.api.v1alpha1 import PreviewAnswer, PreviewTask
from execloop.controller.plancode.runner import Nothing, Refused, TasksLeft
from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from execloop.controller.plancode.asked import Asked
    from execloop.controller.plancode.runner import Observed
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = ["answer", "asks", "described"]

_SHOWN = 20
_NAME_BYTES, _DETAIL_BYTES, _ERROR_BYTES = 253, 512, 1024


def asks(ctx: ReconcileContext) -> bool:
    """Return whether the annotation asks for something that the status does not answer yet."""
    answered = ctx.snapshot.status.preview
    return ctx.snapshot.preview is not None and (answered is None or answered.request != ctx.snapshot.preview)


def answer(ctx: ReconcileContext, observed: Observed) -> PreviewAnswer | None:
    """Return what a plan that was asked would do; None when it could not be asked yet."""
    request = ctx.snapshot.preview or ""
    match observed:
        case Nothing():
            return PreviewAnswer(request=request)
        case TasksLeft(tasks, waits, asked):
            shown = tuple(described(ctx, one, _DETAIL_BYTES) for one in asked[:_SHOWN])
            texts = tuple(cut(ctx.resolved.redactor.text(one.message), _NAME_BYTES) for one in waits[:_SHOWN])
            return PreviewAnswer(request=request, count=len(tasks), tasks=shown, waits=texts)
        case Refused(message):
            return PreviewAnswer(request=request, error=cut(message, _ERROR_BYTES))
        case CreateFailed(_, error) | Failed(_, error):
            return PreviewAnswer(request=request, error=cut(ctx.shown(error), _ERROR_BYTES))
        case _:
            return None


def described(ctx: ReconcileContext, asked: Asked, most: int) -> PreviewTask:
    """Return a task as it may be shown, with at most so many bytes of its detail."""
    detail = asked.detail if asked.error is None else ctx.shown(asked.error)
    shown = cut(ctx.resolved.redactor.text(detail), most) if detail else None
    return PreviewTask(name=cut(ctx.resolved.redactor.text(asked.name), _NAME_BYTES), detail=shown)
