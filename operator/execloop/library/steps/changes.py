"""Actions on objects that a step reads: patch, annotate, restart, delete. Each does nothing where nothing is to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop.kube import ApiError, kstatus
from execloop.library.steps.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from execloop._plans.context import Context

    Object: TypeAlias = dict[str, Any]

__all__ = ["RESTARTED", "changes"]

RESTARTED: Final = "execloop.dev/restarted-by"
"""The annotation of a pod template with the execution that asked for new pods: that is once, whatever crashes."""
_CONFLICT: Final = 409
_SOON: Final = 1.0
_RESTARTS: Final = "restarts"
_RECORDED: Final = 0.2
_LONGEST: Final = 3000


def changes(action: str, given: Mapping[str, Any], context: Context, live: Any) -> Iterator[Task | Wait]:
    """Yield what an action asks for, of one object or of each of a list. Nothing: it is done already.

    Args:
        action: `patch`, `annotate`, `restart` or `delete`.
        given: What the step says of it, with the values in place.
        context: That of the step, whose state lasts.
        live: The object, the list of them, or None where there is no such object.

    """
    if live is None:
        if action != "delete":
            yield Wait(f"{given['target']} does not exist yet")
        return
    recorded = context.state.get(_RESTARTS) == context.execution.id
    for each in live if isinstance(live, list) else [live]:
        if "deletionTimestamp" in each["metadata"]:
            yield Wait(f"{_label(each)} is being deleted")
        elif action == "delete":
            yield _Delete(context, each, given["propagation"])
        else:
            patch, subresource = _patch(action, given, context.execution.id)
            if not _has(each, patch) and action == "restart" and not recorded:
                # An execution that is in no status yet is lost with the process, and the next one would restart again.
                context.state[_RESTARTS] = context.execution.id
                yield Wait(f"{_label(each)} is restarted once that is recorded", again_in=_RECORDED)
            elif not _has(each, patch):
                yield _Patch(action, context, each, patch, subresource)
            elif action == "restart" and (health := kstatus.compute(each)).state == "InProgress":
                yield Wait(f"{_label(each)}: {health.message}")


def _patch(action: str, given: Mapping[str, Any], execution: str) -> tuple[Object, str | None]:
    if action == "patch":
        return given["patch"], given["subresource"]
    if action == "annotate":
        metadata = {field: given[field] for field in ("annotations", "labels") if given[field]}
        return {"metadata": metadata}, None
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: execution}}}}}, None


def _has(live: object, patch: object) -> bool:
    """Return whether a merge patch would change nothing."""
    if not isinstance(patch, dict):
        return live == patch
    if not isinstance(live, dict):
        return False
    return all(
        (key not in live if value is None else _has(live.get(key, {} if isinstance(value, dict) else None), value))
        for key, value in patch.items()
    )


def _label(live: Mapping[str, Any]) -> str:
    return f"{live['kind']} {live['metadata']['name']}"


class _Change(Task):
    """A request that changes one object, as it was when the step looked at it."""

    def __init__(self, verb: str, context: Context, live: Object, detail: str = "") -> None:
        self.name, self.detail = f"{verb} {_label(live)}", detail[:_LONGEST]
        self._context, self._live = context, live

    @property
    def _place(self) -> tuple[str, str, str, str | None]:
        metadata = self._live["metadata"]
        return self._live["apiVersion"], self._live["kind"], metadata["name"], metadata.get("namespace")

    async def perform(self) -> None:
        try:
            await self._send()
        except ApiError as error:
            if error.status == _CONFLICT:
                raise Wait(f"{_label(self._live)} was changed meanwhile", again_in=_SOON) from None
            raise StepError(f"{error.message or error.reason}") from None

    async def _send(self) -> None:
        raise NotImplementedError


class _Patch(_Change):
    def __init__(self, verb: str, context: Context, live: Object, patch: Object, subresource: str | None) -> None:
        shown = "" if live["kind"] == "Secret" else json.dumps(patch, indent=1, ensure_ascii=False)
        super().__init__(verb, context, live, shown)
        # The uid is a precondition: an object that was created again meanwhile is another one.
        identity = {"uid": live["metadata"]["uid"]}
        self._patch = {**patch, "metadata": {**(patch.get("metadata") or {}), **identity}}
        self._subresource = subresource

    async def _send(self) -> None:
        api_version, kind, name, namespace = self._place
        await self._context.kube.patch(api_version, kind, name, self._patch, namespace, subresource=self._subresource)


class _Delete(_Change):
    def __init__(self, context: Context, live: Object, propagation: Any) -> None:
        super().__init__("delete", context, live)
        self._propagation = propagation

    async def _send(self) -> None:
        api_version, kind, name, namespace = self._place
        kube = self._context.kube
        await kube.delete(api_version, kind, name, namespace, propagation=self._propagation, only=self._live)
