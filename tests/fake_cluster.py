"""An API server in memory, by the rules of the real one that the operator's own requests rest on."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

from execloop.kube import JSON, ApiError, Connection, Kube
from execloop.kube.http.discovery import Discovery
from tests.api_server import ApiServer, Object, refuse, watch_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

_STATUS = "/status"


class Write(NamedTuple):
    """A request that changed something."""

    method: str
    path: str
    object: Object
    """What it came to."""


class FakeCluster:
    """Objects by path. It answers `request` as a `Connection` does; `discovery` is the real one, asking this server."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.writes: list[Write] = []
        """The operator's own."""
        self.requests = 0
        """The operator's own, those that failed included."""
        self.acted_as: list[str] = []
        """Service accounts that somebody had a connection for."""
        self.discovery = Discovery(self.request)
        self._surprises: deque[Callable[[], object]] = deque()
        self._after_writes: Callable[[], object] = lambda: None
        self._down = False

    @property
    def objects(self) -> dict[str, Object]:
        return self.server.objects

    @property
    def kube(self) -> Kube:
        return Kube(self.connection)

    @property
    def connection(self) -> Connection:
        return cast("Connection", self)

    def before_next_request(self, *surprises: Callable[[], object]) -> None:
        """What happens just before each of the operator's next requests is answered; it may raise ApiError."""
        self._surprises.extend(surprises)

    def after_writes(self, deed: Callable[[], object]) -> None:
        """What happens just after each of the operator's own writes."""
        self._after_writes = deed

    def fail_next(self, status: int = 500, reason: str = "InternalError", *, times: int = 1) -> None:
        self.before_next_request(*[lambda: refuse(status, reason, "as the test wants it")] * times)

    def go_away(self) -> None:
        self._down = True

    def come_back(self) -> None:
        self._down = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float | None = None,  # noqa: ASYNC109 - as a Connection has it; it answers at once
    ) -> Object:
        """The operator's."""
        self.requests += 1
        if self._down:
            refuse(0, "Unreachable", "connection refused")
        if self._surprises:
            self._surprises.popleft()()
        before = self.objects.get(path.removesuffix(_STATUS))
        answer = self.server.answer(method, path, cast("Object", body), query)
        if method != "GET" and answer is not before and "dryRun" not in (query or {}):
            self.writes.append(Write(method, path, copy.deepcopy(answer)))
            self._after_writes()
        return cast("Object", copy.deepcopy(answer))

    async def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON
    ) -> AsyncGenerator[Object, None]:
        """A watch, the operator's too."""
        query = query or {}
        version = query.get("resourceVersion", "")
        if version in {"", "0"}:
            version = str(self.server.version)
            for event in self.server.initial(path, query):
                yield copy.deepcopy(event)
        position, changed = int(version), asyncio.Event()
        end = self.server.tell(lambda _change: changed.set())
        try:
            while True:
                changed.clear()
                for version_of_event, event in self.server.events(path, query, position):
                    position = version_of_event
                    yield copy.deepcopy(event)
                await changed.wait()
        except ApiError as error:
            yield watch_error(error)
        finally:
            end()

    def impersonating(self, namespace: str, service_account: str) -> Connection:
        self.acted_as.append(f"{namespace}/{service_account}")
        return self.connection

    def answer(self, method: str, path: str, body: Object | None = None) -> Object:
        """Anybody's. Raises ApiError."""
        return cast("Object", self.server.answer(method, path, body))
