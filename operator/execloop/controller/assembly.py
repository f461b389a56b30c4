"""A reconciler and the parts that it stands on, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.controller.announce import Announcer
from execloop.controller.dependencies import Dependencies
from execloop.controller.finalizer import Finalizer
from execloop.controller.reconciler import Reconciler
from execloop.controller.reporter import Reporter
from execloop.controller.runs import Runs
from execloop.controller.sources import Sources
from execloop.controller.teardown import Teardown
from execloop.controller.times import Times
from execloop.controller.writer import StatusWriter
from execloop.walk import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.admit import Admissions
    from execloop.controller.clients import Clients
    from execloop.controller.plancode import PlanCode
    from execloop.controller.references import References
    from execloop.controller.track import Cache, Key
    from execloop.controller.work import Ran
    from execloop.kube import Kube

__all__ = ["assemble"]


def assemble(
    admissions: Admissions,
    cache: Cache,
    code: PlanCode,
    kube: Kube,
    clients: Clients,
    references: References,
    declare: Callable[[Key, str, object], None],
    times: Times = Times(),  # noqa: B008 - frozen
    *,
    stop: Callable[[], Stop] = Stop,
    ran: Callable[[Ran], None] = lambda _ran: None,
) -> Reconciler:
    """A reconciler and the parts that it stands on."""
    announcer, finalizer = Announcer(kube), Finalizer(kube, cache)
    sources, dependencies = Sources(clients), Dependencies(clients, cache)
    reporter = Reporter(StatusWriter(kube, cache), announcer, admissions, times)
    runs = Runs(code, clients, reporter, times.now, declare, stop, ran)
    teardown = Teardown(kube, admissions, sources, runs, reporter, finalizer, times)
    parts = (cache, admissions, sources, dependencies, references, runs, reporter, announcer, finalizer, teardown)
    return Reconciler(*parts, code.barred, times)
