"""The plan `manifests` against the real API server, as an operator drives it: each run with what the last one kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Execution
from execloop._plans.context import Context, connected
from execloop._plans.inventory import Inventory
from execloop.kube import Kube
from execloop.library.manifests import Manifests, Parameters
from execloop.testing import FakeClock, aconverge

if TYPE_CHECKING:
    from execloop.kube import Connection

__all__ = ["Driven"]

UID = "uid-peer"


class Driven:
    """`inventory` is what the status has; no real time passes between runs."""

    name = "manifests"

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection, self._namespace = connection, namespace
        self._state: dict[str, Any] = {}
        self._raw: dict[str, Any] = {}
        self._executions, self._tears_down = 0, False
        self._made: Inventory | None = None
        self.inventory: tuple[str, ...] = ()

    async def converge(self, *objects: dict[str, Any], **parameters: Any) -> str:
        """Return what stands in the way; empty once it has converged."""
        self._raw = {"objects": list(objects), "prune": True, **parameters}
        return await self._run()

    async def tear_down(self) -> str:
        self._tears_down = True
        return await self._run()

    async def _run(self) -> str:
        self._executions += 1
        try:
            await aconverge(self, 5, clock=FakeClock(), errors_to_tolerate=0)
        except Exception as error:  # whatever stands in the way
            return str(error)
        finally:
            self._end()
        return ""

    async def create(self) -> Any:
        self._end()
        plan = Manifests(Parameters.model_validate(self._raw), self._context())
        return await (plan.teardown() if self._tears_down else plan.create())

    def _end(self) -> None:
        if self._made is not None:
            self.inventory = self._made.stored()

    def _context(self) -> Context:
        self._made = Inventory(self.inventory)
        execution = Execution(id=f"e{self._executions}")
        context = Context("peer", self._namespace, UID, 2, execution=execution, state=self._state, inventory=self._made)
        kube = Kube.for_plan(self._connection, namespace=self._namespace, name="peer", uid=UID)
        return connected(context, lambda: kube, lambda: None)  # type: ignore[arg-type,return-value]
