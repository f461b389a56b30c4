"""The plan itself: look at the resource, compare, and do the one thing that is needed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop._plans.decorator import plan
from execloop.library.cel.expression import compile_expression
from execloop.library.http.compare import differences, merged, named
from execloop.library.http.errors import HttpError, Refused
from execloop.library.http.find import Found, find, remember
from execloop.library.http.operations import follow, note
from execloop.library.http.parameters import Change, Parameters
from execloop.library.http.placeholders import filled
from execloop.library.http.session import Session, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._plans.context import Context
    from execloop.library.http.client import Answer

__all__ = ["Http"]

_DELETED: Final = "deleted"
_AGAIN: Final = 10.0
_SOON: Final = 1.0
_CHANGED_MEANWHILE: Final = 412
_DETAIL: Final = 4000
_WHOLE: Final = "PUT"


@plan("http", parameters=Parameters)
class Http:
    """A resource of a REST API is as expected: created when it is missing, changed when it differs."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._context = parameters, context

    async def create(self) -> list[Task]:
        given = self._parameters
        async with opened(given, self._context.limits.addresses) as session:
            await follow(self._context.state, given.poll, session)
            found = await find(session, given, self._context.state)
        if found is None:
            return self._missing()
        if differing := self._differing(found):
            return self._drifted(differing)
        if given.ready_when is not None and not _holds(given.ready_when, found.object):
            raise Wait(f"{_shown(found.url)} is not ready: {given.ready_when}", again_in=_AGAIN)
        return []

    async def teardown(self) -> list[Task]:
        given = self._parameters
        if given.observe_only:
            return []
        async with opened(given, self._context.limits.addresses) as session:
            await follow(self._context.state, given.poll, session)
            found = await find(session, given, self._context.state)
        if found is None:
            return []
        if self._context.state.get(_DELETED):
            raise Wait(f"{_shown(found.url)} is being deleted", again_in=_AGAIN)
        change = given.delete or Change(method="DELETE")
        return [_Send(self, f"delete {_shown(found.url)}", change, self._delete)]

    # -- what is needed

    def _missing(self) -> list[Task]:
        given = self._parameters
        place = _shown(given.url or (given.search.url if given.search else ""))
        if given.observe_only:
            raise Wait(f"{place} does not exist", again_in=_AGAIN)
        change = given.create or (Change(method="PUT") if given.url is not None else None)
        if change is None:
            raise HttpError(f"{place}: nothing matches, and create is missing: say how to create it")
        return [_Send(self, f"create {_shown(change.url or given.url or '')}", change, self._create)]

    def _drifted(self, differing: list[str]) -> list[Task]:
        place = _shown(self._parameters.url or (self._parameters.search.item_url if self._parameters.search else ""))
        if self._parameters.observe_only:
            raise Wait(f"{place} differs in {named(differing)}", again_in=_AGAIN)
        change = self._parameters.update or Change(method="PATCH")
        return [_Send(self, f"update {place}: {named(differing)}", change, self._update)]

    def _differing(self, found: Found) -> list[str]:
        values = self._parameters.values
        differing = list(differences(filled(self._parameters.expect, values), found.object))
        rule = self._parameters.expect_when
        return differing if rule is None or _holds(rule, found.object) else [*differing, rule]

    # -- doing it

    async def _create(self, session: Session, change: Change) -> None:
        if await find(session, self._parameters, self._context.state) is not None:
            return
        headers = {"Idempotency-Key": self._idempotency_key(change)}
        if change.method == _WHOLE:
            headers["If-None-Match"] = "*"
        url = change.url or self._parameters.url or ""
        answer = await self._change(session, change, url, self._body(change, None), headers)
        remember(self._context.state, self._parameters.search, answer.json)

    async def _update(self, session: Session, change: Change) -> None:
        found = await find(session, self._parameters, self._context.state)
        if found is None or not self._differing(found):
            return
        await self._change(session, change, change.url or found.url, self._body(change, found), _only_if(found))

    async def _delete(self, session: Session, change: Change) -> None:
        found = await find(session, self._parameters, self._context.state)
        if found is None:
            return
        await self._change(session, change, change.url or found.url, change.body, _only_if(found))
        self._context.state[_DELETED] = True

    async def _change(self, session: Session, change: Change, url: str, body: Any, headers: dict[str, str]) -> Answer:
        try:
            answer = await session.send(
                change.method, url, body=body, content_type=change.content_type, headers=headers
            )
        except Refused as error:
            if error.status == _CHANGED_MEANWHILE:
                raise Wait(f"{_shown(url)} was changed meanwhile", again_in=_SOON) from None
            raise
        note(self._context.state, self._parameters.poll, answer)
        return answer

    def _body(self, change: Change, found: Found | None) -> Any:
        if change.body is not None:
            return change.body
        if change.method == _WHOLE and found is not None:
            return merged(found.object, self._parameters.expect)
        return self._parameters.expect

    def _idempotency_key(self, change: Change) -> str:
        """Return what is the same for each attempt of an execution: a server that knows such keys creates once."""
        context = self._context
        parts = [context.uid or context.name, context.execution.id, change.model_dump_json()]
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


class _Send(Task):
    """One change."""

    def __init__(self, http: Http, name: str, change: Change, send: Callable[[Session, Change], Any]) -> None:
        self.name = name
        self._http, self._change, self._send = http, change, send
        body = change.body if change.body is not None else http._parameters.expect  # noqa: SLF001 - one module
        self.detail = f"{change.method}\n{json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False)}"[:_DETAIL]

    async def perform(self) -> None:
        http = self._http
        async with opened(http._parameters, http._context.limits.addresses) as session:  # noqa: SLF001
            await self._send(session, self._change)


def _only_if(found: Found) -> dict[str, str]:
    return {} if found.etag is None else {"If-Match": found.etag}


def _holds(rule: str, value: Any) -> bool:
    return bool(compile_expression(rule, ["object"], bool).evaluate({"object": value}))


def _shown(url: str) -> str:
    return url.partition("?")[0]
