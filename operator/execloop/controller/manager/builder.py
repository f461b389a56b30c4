"""Put a reconciler and its parts together.

`Operator.build` calls it, and so do the tests and the simulation, with parts of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._engine.walk import Stop
from execloop.controller.parameters.policy import SecretsPolicy
from execloop.controller.reconcile.commit import Commit
from execloop.controller.reconcile.execution.driver import ExecutionDriver
from execloop.controller.reconcile.execution.runs import Runs
from execloop.controller.reconcile.inputs.dependencies import Dependencies
from execloop.controller.reconcile.inputs.parameters import ParameterSources
from execloop.controller.reconcile.reconciler import Reconciler
from execloop.controller.reconcile.teardown import Teardown
from execloop.controller.status.events import EventRecorder
from execloop.controller.status.finalizer import Finalizer
from execloop.controller.status.writer import StatusWriter
from execloop.controller.timing import Times

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._plans.context import Version
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.plancode.crashes.suspects import PlanCrashes
    from execloop.controller.plancode.host import PlanHost
    from execloop.controller.plancode.runner import RunResult
    from execloop.controller.reconcile.execution.audience import Audience
    from execloop.controller.reconcile.inputs.validation import Validator
    from execloop.controller.watch.cache import Cache, Key
    from execloop.controller.watch.references import References
    from execloop.kube import Kube

__all__ = ["assemble"]


def assemble(
    validator: Validator,
    cache: Cache,
    code: PlanHost,
    kube: Kube,
    clients: Clients,
    references: References,
    declare: Callable[[Key, str, object], None],
    times: Times = Times(),  # noqa: B008 - frozen
    *,
    stop: Callable[[], Stop] = Stop,
    ran: Callable[[RunResult], None] = lambda _ran: None,
    refusal: Callable[[Key, str, str], PlanCrashes | None] = lambda *_: None,
    returned: Callable[[Key, int], None] = lambda *_: None,
    version: Version = lambda *_: None,
    trust_secrets_policy: bool = False,
    audience: Audience | None = None,
) -> Reconciler:
    """Return a reconciler and the parts that it stands on."""
    recorder, finalizer = EventRecorder(kube), Finalizer(kube, cache)
    policy = SecretsPolicy(kube, times.monotonic, trusted=trust_secrets_policy)
    sources, dependencies = ParameterSources(clients, policy), Dependencies(clients, cache)
    commit = Commit(cache, validator, StatusWriter(kube, cache), recorder, references, times)
    runs = Runs(code, clients, commit, times, declare, ran, refusal, returned, version, audience)
    driver = ExecutionDriver(runs, commit, recorder, times)
    teardown = Teardown(kube, validator, sources, driver, finalizer, times)
    return Reconciler(cache, validator, sources, dependencies, driver, teardown, finalizer, commit, times, stop=stop)
