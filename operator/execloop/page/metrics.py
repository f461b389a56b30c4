"""What Prometheus reads of the page; docs/metrics.md has the table. No label names a person or a Plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

__all__ = ["PageMetrics", "Refusal"]

Refusal: TypeAlias = Literal["unknown", "token", "proxy", "origin", "form", "rights", "streams"]


class PageMetrics:
    """Counts in a registry, one of its own unless one is given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._requests = Counter(
            "execloop_page_requests", "Requests to the page that were answered.", ["code"], registry=self.registry
        )
        self._refused = Counter(
            "execloop_page_refused", "Requests to the page that were refused.", ["reason"], registry=self.registry
        )
        self._signed_in = Counter(
            "execloop_page_sessions", "Sessions that began with the form.", registry=self.registry
        )
        for reason in get_args(Refusal):
            self._refused.labels(reason)

    async def answered(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Count an answer as it begins: a stream takes hours to end."""
        self._requests.labels(str(response.status)).inc()

    def refused(self, reason: Refusal) -> None:
        self._refused.labels(reason).inc()

    def signed_in(self) -> None:
        self._signed_in.inc()

    def observe_streams(self, count: Callable[[], int]) -> None:
        """Ask at each scrape how many streams are open."""
        gauge = Gauge("execloop_page_streams", "Open streams: pages that people look at.", registry=self.registry)
        gauge.set_function(count)
