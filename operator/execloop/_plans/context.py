"""What a named plan knows of its surroundings: name, cluster, state, inventory.

The operator and the command make one `Context` for each plan that they make.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from execloop._engine.errors import UnknownPlan
from execloop._engine.execution import Execution
from execloop._plans.inventory import Inventory
from execloop._plans.limits import UNLIMITED, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from kubernetes.client import ApiClient

    from execloop._plans.definition import Definition
    from execloop.kube import Kube

__all__ = ["Context", "connected"]


Version: TypeAlias = "Callable[[str, str, str, str], str | None]"


def _unwatched(_api_version: str, _kind: str, _namespace: str, _name: str) -> None:
    return None


def _no_plans(name: str) -> NoReturn:
    raise UnknownPlan(f"there is no plan {name!r}: no other plans are given")


def _no_cluster() -> NoReturn:
    raise RuntimeError("this plan needs a cluster and none was given: pass --kubeconfig, or set KUBECONFIG")


@dataclass(frozen=True, slots=True)
class Context:
    """What a plan may ask beside its parameters: who it is, where to log, what it kept, and clients for a cluster.

    `kube` and `api_client` connect when they are first used. In a test of your own make one with the plan's name; it
    has no cluster then.

    >>> Context("rotate-key").state
    {}
    """

    name: str
    """The Plan's; outside the operator the plan's own."""
    namespace: str = ""
    """The Plan's namespace; like `uid` and `generation` it is empty outside the operator."""
    uid: str = ""
    generation: int = 0
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = field(
        default_factory=lambda: logging.getLogger("execloop.plan")
    )
    execution: Execution = field(default_factory=Execution)
    """How far the execution was when the plan was made."""
    retry: str = ""
    """The step that a person asked this execution to run again, by `execloop.dev/retry`; what that is the plan says."""
    skip: str = ""
    """The step that this execution is to take as done, by `execloop.dev/skip`, as of a person who may approve."""
    state: MutableMapping[str, Any] = field(default_factory=dict)
    """What the plan keeps between its runs: JSON values, at most 16 KiB, no value of a Secret. The operator keeps it in
    `status.kept`; in the library and the command it lasts as long as the plan. It is a memory of things that cannot be
    looked up, such as the id of a request: what the world says is truer."""
    inventory: Inventory = field(default_factory=Inventory)
    """The objects that the plan made, as `kind.group/namespace/name`. The operator keeps it in `status.inventory`, at
    most 32 KiB; in the library and the command it lasts as long as the plan."""
    limits: Limits = UNLIMITED
    """What a built-in plan may reach besides the cluster. The operator has what its administrator set."""
    memory: MutableMapping[str, Any] = field(default_factory=dict)
    """What the plan remembers to save itself work, any values. It lasts as long as the process, and may be empty at
    any time."""
    missing_sources: tuple[str, ...] = ()
    """Optional sources of the parameters that do not exist: what they would give is unknown, so delete nothing for
    its absence."""
    part: str = ""
    """Which part of a plan of plans this is the context of; empty for a whole plan."""
    plans: Callable[[str], Definition] = _no_plans
    """Other plans by name, for a plan of plans. Raises PlanError for one that does not exist or may not be used."""
    _connect: Callable[[], Kube] = field(default=_no_cluster, init=False, repr=False, compare=False)
    _connect_official: Callable[[], ApiClient] = field(default=_no_cluster, init=False, repr=False, compare=False)
    _version: Version = field(default=_unwatched, init=False, repr=False, compare=False)

    def version(self, api_version: str, kind: str, namespace: str, name: str) -> str | None:
        """Return the resourceVersion of an object that carries the Plan's label, as the operator's watch knows it.

        No request is sent. The object must be among the plan's `watches`.

        Args:
            api_version: As in its manifest.
            kind: As in its manifest.
            namespace: Empty for a kind without namespaces.
            name: Its name.

        Returns:
            The version; empty when the watch knows no such object; None when nothing watches that kind: outside the
            operator, before the first list, without the right to watch.

        """
        return self._version(api_version, kind, namespace, name)

    @property
    def kube(self) -> Kube:
        """The asynchronous client of plain dicts, for async plan code. Raises RuntimeError when there is no cluster."""
        return self._connect()

    @property
    def api_client(self) -> ApiClient:
        """The official synchronous client, for blocking plan code. Raises RuntimeError when there is no cluster."""
        return self._connect_official()


def connected(
    context: Context,
    kube: Callable[[], Kube],
    api_client: Callable[[], ApiClient],
    version: Version = _unwatched,
) -> Context:
    """Let a new context make its clients by these functions, when a plan asks for them; return it."""
    object.__setattr__(context, "_version", version)
    object.__setattr__(context, "_connect", kube)
    object.__setattr__(context, "_connect_official", api_client)
    return context
