"""What lies between a process and the API server: time, and whatever a network or a server may do to a request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from multidict import CIMultiDict

from execloop.kube import ApiError, Connection
from execloop.kube.http.connection import _Call
from tests.api_server import ApiServer, Place, refuse, watch_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from random import Random

    from tests.simulation.processes import Process
    from tests.simulation.story import Story

__all__ = ["FAULTS", "Faults", "Link", "Network", "NoFaults", "Request", "SomeFaults"]

_TIMEOUT = 30.0
_BOOKMARK = 60.0
_MOST_REQUESTS = 20_000

FAULTS = (
    "crash before it is sent",
    "crash between send and answer",
    "crash after the answer",
    "500",
    "429",
    "503",
    "never arrives",
    "its answer never arrives",
    "cut before it arrives",
    "cut after it arrived",
    "touched just before",
)


class TooManyRequests(Exception):
    """No life needs so many: something does not wait where it should."""


class Request(NamedTuple):
    number: int
    process: Process
    method: str
    path: str

    @property
    def place(self) -> Place:
        return Place.of(self.path)


class Faults:
    """Decides what becomes of each request."""

    latest = 0.05
    """Seconds that a message takes at most."""

    def of(self, _request: Request) -> str | None:
        return None


NoFaults = Faults


@dataclass
class SomeFaults(Faults):
    """At random, each kind as often as this life has it."""

    chance: Random
    rates: Mapping[str, float]
    latest: float = 0.05
    calm: bool = False

    def of(self, _request: Request) -> str | None:
        if self.calm:
            return None
        at = self.chance.random()
        for kind, rate in self.rates.items():
            at -= rate
            if at < 0:
                return kind
        return None


@dataclass
class Network:
    server: ApiServer
    story: Story
    chance: Random
    faults: Faults = field(default_factory=NoFaults)
    down: bool = False
    requests: int = 0
    met: list[Callable[[], object]] = field(default_factory=list)
    """What happens just before the next write of a status."""
    writer: Process | None = None
    """Whose request the server is working on; None for people's."""

    async def exchange(self, process: Process, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """One attempt at a request. Raises ApiError."""
        process.check()
        self.requests += 1
        if self.requests > _MOST_REQUESTS:
            raise TooManyRequests
        request = Request(self.requests, process, method, path)
        fault = self.faults.of(request)
        self._tell(request, f"  !! {fault}" if fault else "")
        if fault == "crash before it is sent":
            await self._crash(process, fault)
        await self._travel(process)
        self._refused(fault)
        if fault == "never arrives" or (self.down and fault is None):
            await asyncio.sleep(_TIMEOUT if not self.down else 0.2)
            refuse(0, "Timeout" if not self.down else "Unreachable", "https://api did not answer in time")
        if fault == "touched just before":
            self._touch(path)
        if self.met and method == "PUT" and path.endswith("/status"):
            self.met.pop()()
        answer, error = self._served(process, method, path, query, body)
        if fault == "crash between send and answer":
            await self._crash(process, fault)
        if fault == "cut after it arrived":
            refuse(0, "Disconnected", "https://api closed the connection")
        if fault == "its answer never arrives":
            await asyncio.sleep(_TIMEOUT)
            refuse(0, "Timeout", "https://api did not answer in time")
        await self._travel(process)
        if fault == "crash after the answer":
            await self._crash(process, fault)
        if error is not None:
            self.story.tell(process.name, f"   {method} {path}: {error.status} {error.reason}")
            raise error
        return answer

    def _served(
        self, process: Process, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> tuple[Any, ApiError | None]:
        self.writer = process
        try:
            return self.server.answer(method, path, body, query), None
        except ApiError as error:
            return None, error
        finally:
            self.writer = None

    def _refused(self, fault: str | None) -> None:
        match fault:
            case "500":
                refuse(500, "InternalError", "etcdserver: request timed out")
            case "429":
                refuse(429, "TooManyRequests", "please try again later", retry_after=1.0)
            case "503":
                refuse(503, "ServiceUnavailable", "apiserver is shutting down")
            case "cut before it arrives":
                refuse(0, "Disconnected", "https://api closed the connection")

    async def _travel(self, process: Process) -> None:
        await asyncio.sleep(self.chance.random() ** 3 * self.faults.latest)
        process.check()

    async def open(self, process: Process) -> None:
        """A message of a watch. Raises ApiError."""
        await self._travel(process)
        if self.down:
            refuse(0, "Unreachable", "https://api: connection refused")

    async def _crash(self, process: Process, why: str) -> None:
        self.story.tell(process.name, f"dies: {why}")
        process.kill(why)
        await asyncio.Event().wait()

    def _touch(self, path: str) -> None:
        """Somebody changes a label, which costs whoever is about to write a conflict."""
        target = path.removesuffix("/status")
        if Place.of(target).plural == "plans" and target in self.server.objects:
            labels = {"touched": str(self.server.version)}
            self.server.answer("PATCH", target, {"metadata": {"labels": labels}})

    def _tell(self, request: Request, more: str) -> None:
        if request.place.plural != "leases" or more:
            self.story.tell(request.process.name, f"-> {request.method} {request.path}{more}")


class Link(Connection):
    """A process's connection: the real one's retries, guard and impersonation, over the network above."""

    def __init__(self, network: Network, process: Process) -> None:
        super().__init__(cast("Any", SimpleNamespace(server="https://api", namespace="system", proxy=None)))
        self._network, self._process = network, process

    def _call(self, method: str, path: str, query: Mapping[str, str] | None, accept: str) -> _Call:
        return _Call(method, path, cast("Any", dict(query or {})), CIMultiDict(Accept=accept), None)

    async def _attempt(self, call: _Call, _seconds: float) -> dict[str, Any]:
        if self._permit is not None and call.method != "GET":
            self._permit()
        body = None if call.body is None else loads(call.body)
        answer = await self._network.exchange(self._process, call.method, call.path, cast("Any", call.target), body)
        return cast("dict[str, Any]", loads(dumps(answer)))

    async def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = ""
    ) -> AsyncGenerator[dict[str, Any], None]:
        network, server, query = self._network, self._network.server, dict(query or {})
        await network.open(self._process)
        version = query.get("resourceVersion", "")
        if version in {"", "0"}:
            version = str(server.version)
            for event in server.initial(path, query):
                yield loads(dumps(event))
        position, changed, bookmark = int(version), asyncio.Event(), _now() + _BOOKMARK
        end = server.tell(lambda _change: changed.set())
        try:
            while True:
                changed.clear()
                found, position = list(server.events(path, query, position)), server.version
                for _, event in found:
                    await network.open(self._process)
                    yield loads(dumps(event))
                try:
                    async with asyncio.timeout_at(bookmark):
                        await changed.wait()
                except TimeoutError:
                    bookmark = _now() + _BOOKMARK
                    if "allowWatchBookmarks" in query:
                        yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(position)}}}
        except ApiError as error:
            if not error.status:
                raise
            yield watch_error(error)
        finally:
            end()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _json() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    import orjson

    return orjson.loads, orjson.dumps


loads, dumps = _json()
