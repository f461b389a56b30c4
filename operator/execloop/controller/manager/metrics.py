"""The metrics of the operator; docs/metrics.md has the table. No label names a Plan, so their number is bounded.

`process` makes one `Metrics`; the parts of the operator call it, and `probes` serves it.
"""

from __future__ import annotations

from collections import Counter as Counts
from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from execloop._engine.execution import Again, Converged, CreateFailed, Failed, Interrupted, Outcome
from execloop.controller.plancode.runner import Postponed, Refused
from execloop.kube import Restart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from execloop.controller.plancode.runner import RunResult
    from execloop.controller.watch.packed import Conditions

__all__ = ["Metrics", "Result", "Watched"]

Watched: TypeAlias = Literal["plans", "references", "drift"]
Result: TypeAlias = Literal["done", "requeued", "api_error", "error"]
_OUTCOMES: Mapping[type[Outcome | Postponed | Refused], str] = {
    Converged: "converged",
    Again: "again",
    Interrupted: "interrupted",
    CreateFailed: "create_failed",
    Failed: "failed",
    Postponed: "postponed",
    Refused: "refused",
}
_ERRORS = "errors"
_SOURCES = {True: "cache", False: "live"}
_CONDITIONS = (
    ("Ready", "True"),
    ("Ready", "False"),
    ("Ready", "Unknown"),
    ("Reconciling", "True"),
    ("Stalled", "True"),
    ("Suspended", "True"),
)
_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "WATCH"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1200)


class Metrics:
    """Counts from any thread. In the default registry, so that what plan code registers there is served too."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self._reconciles = Counter("execloop_reconciles", "Reconciles that ended.", ["result"], registry=registry)
        self._reconcile_seconds = Histogram(
            "execloop_reconcile_duration_seconds",
            "How long a reconcile took, its run included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue_wait = Histogram(
            "execloop_queue_wait_seconds",
            "How long a Plan was due before its reconcile began.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._runs = Counter("execloop_runs", "Runs that ended.", ["outcome"], registry=registry)
        self._tasks = Counter("execloop_tasks", "Tasks that were attempted.", ["outcome"], registry=registry)
        self._requests = Counter(
            "execloop_api_requests", "Requests to the API server, each attempt.", ["verb", "code"], registry=registry
        )
        self._request_seconds = Histogram(
            "execloop_api_request_duration_seconds",
            "Time until the API server's answer began.",
            ["verb"],
            buckets=_SECONDS[:13],
            registry=registry,
        )
        self._of_answer: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._restarts = Counter(
            "execloop_watch_restarts", "Watches that ended early.", ["watch", "reason"], registry=registry
        )
        self._cached_reads = Counter(
            "execloop_cached_reads", "Reads of plan code with cached=True.", ["source"], registry=registry
        )
        build = Gauge("execloop_build_info", "1, with the version that runs.", ["version"], registry=registry)
        build.labels(version("execloop")).set(1)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """What has not happened yet counts as 0: a rate over a missing series would miss the first."""
        self._of_result = {result: self._reconciles.labels(result) for result in get_args(Result)}
        self._of_outcome = {outcome: self._runs.labels(outcome) for outcome in (*_OUTCOMES.values(), _ERRORS)}
        self._succeeded, self._failed = (self._tasks.labels(outcome) for outcome in ("succeeded", "failed"))
        for source in _SOURCES.values():
            self._cached_reads.labels(source)
        for watch, reason in product(get_args(Watched), get_args(Restart)):
            self._restarts.labels(watch, reason)

    def waited(self, seconds: float) -> None:
        self._queue_wait.observe(seconds)

    def reconciled(self, result: Result, seconds: float) -> None:
        self._of_result[result].inc()
        self._reconcile_seconds.observe(seconds)

    def ran(self, ran: RunResult) -> None:
        self._of_outcome[_name(ran.outcome)].inc()
        if ran.attempted:
            self._succeeded.inc(ran.attempted - ran.failed)
            self._failed.inc(ran.failed)

    def answered(self, method: str, status: int, seconds: float) -> None:
        verb = method if method in _VERBS else "OTHER"  # plan code may send what it likes
        series = self._of_answer.get((verb, status))
        if series is None:
            code = str(status) if status else "none"
            series = self._of_answer[verb, status] = (
                self._requests.labels(verb, code),
                self._request_seconds.labels(verb),
            )
        series[0].inc()
        series[1].observe(seconds)

    def read_cached(self, cached: bool) -> None:
        self._cached_reads.labels(_SOURCES[cached]).inc()

    def observe_contents(self, size: Callable[[], int]) -> None:
        """The bytes of objects that watches hold; asked at each scrape."""
        gauge = Gauge("execloop_cached_bytes", "Bytes of the objects that are held.", registry=self.registry)
        gauge.set_function(size)

    def restarts(self, watch: Watched) -> Callable[[Restart], None]:
        """Count why watches of that kind began again."""
        return lambda reason: self._restarts.labels(watch, reason).inc()

    def observe_watches(self, up: Callable[[], Mapping[str, bool]]) -> None:
        """Whether the watch of Plans works, by namespace; asked at each scrape."""
        self.registry.register(_Watches(up))

    def observe_shards(self, owned: Callable[[], Mapping[int, bool]]) -> None:
        """Whether each range of the Plans is this operator's; asked at each scrape."""
        self.registry.register(_Shards(owned))

    def observe_state(
        self,
        *,
        leader: Callable[[], bool],
        queue_depth: Callable[[], int],
        in_progress: Callable[[], int],
        blocked: Callable[[], int],
        suspected: Callable[[], int],
        waiting_calls: Callable[[], int],
        conditions: Callable[[], Mapping[Conditions, int]],
    ) -> None:
        """These are asked at each scrape."""
        for name, documentation, value in (
            ("leader", "1 while this operator works, 0 while it stands by.", leader),
            ("queue_depth", "Plans that are due and wait for their reconcile.", queue_depth),
            ("reconciles_in_progress", "Plans whose reconcile is in progress.", in_progress),
            ("plans_blocked", "Plans that do not run until abandoned code of theirs returns.", blocked),
            ("plans_suspected", "Plans that may have ended a process, until a run of theirs completes.", suspected),
            ("plan_calls_waiting", "Calls of plan code that wait for a worker.", waiting_calls),
        ):
            Gauge(f"execloop_{name}", documentation, registry=self.registry).set_function(value)
        self.registry.register(_Plans(conditions))


class _Watches(Collector):
    def __init__(self, up: Callable[[], Mapping[str, bool]]) -> None:
        self._up = up

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("execloop_watch_up", "1 while the watch of Plans works.", labels=["namespace"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for family in self.describe():
            for namespace, up in self._up().items():
                family.add_metric((namespace,), up)
            yield family


class _Shards(Collector):
    def __init__(self, owned: Callable[[], Mapping[int, bool]]) -> None:
        self._owned = owned

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("execloop_shard_owned", "1 while this operator works on the range.", labels=["shard"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for family in self.describe():
            for index, owned in self._owned().items():
                family.add_metric((str(index),), owned)
            yield family


class _Plans(Collector):
    def __init__(self, conditions: Callable[[], Mapping[Conditions, int]]) -> None:
        self._conditions = conditions

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("execloop_plans", "Plans by condition.", labels=["condition", "status"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        counts: Counts[tuple[str, str]] = Counts()
        for conditions, plans in self._conditions().items():
            for pair in {"Ready": "Unknown", **dict(conditions)}.items():
                counts[pair] += plans
        for family in self.describe():
            for pair in _CONDITIONS:
                family.add_metric(pair, counts[pair])
            yield family


def _name(outcome: Outcome | Postponed | Refused) -> str:
    return _ERRORS if isinstance(outcome, Again) and outcome.failed else _OUTCOMES[type(outcome)]
