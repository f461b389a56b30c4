"""A plan that is made when it is asked, where its code may block: its model and its constructor are code too.

`reconcile/execution/runs.py` describes what to make; `runner.py` asks it.
"""

from __future__ import annotations

import inspect
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import InvalidParameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._plans.context import Context
    from execloop._plans.definition import Definition

__all__ = ["DeferredPlan", "Refusal", "deferred"]


class Refusal(Exception):
    """The parameters do not fit the plan's model. The message names fields and rules, and no value of a Secret."""


class DeferredPlan:
    """`explain` says why parameters are refused; `declare` learns of the plan that was made, `returned` of how many
    tasks it returned.

    `teardown` asks for its `teardown()` in place of `create()`; `lenient` leaves out what the model does not declare.
    """

    def __init__(
        self,
        definition: Definition,
        parameters: dict[str, Any],
        context: Context,
        explain: Callable[[InvalidParameters], str],
        declare: Callable[[object], object],
        *,
        returned: Callable[[int], object] = lambda _tasks: None,
        teardown: bool = False,
        lenient: bool = False,
    ) -> None:
        self.name = definition.name
        self._definition, self._raw, self._context = definition, parameters, context
        self._explain, self._declare = explain, declare
        self._returned, self._teardown, self._lenient = returned, teardown, lenient
        self._parsed: Any = None
        self._valid = False

    def prepare_here(self) -> bool:
        """Validate as `prepare` does, where that runs no code of the author; return whether it is done.

        What does not fit the model is left to `prepare`: to say why may take long.
        """
        if not self._valid and self._definition.quick:
            with suppress(ValueError, RecursionError):
                self._parsed = self._definition.fit(self._raw)
                self._valid = True
        return self._valid

    def prepare(self) -> None:
        """Validate the parameters with the plan's own model, once. Raises Refusal."""
        if self._valid:
            return
        try:
            self._parsed = self._definition.parse(self._raw, lenient=self._lenient, plans=self._context.plans)
        except InvalidParameters as error:
            raise Refusal(self._explain(error)) from None
        except OSError as error:  # of the world, as in create(): it may pass; its text may hold a value
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise OSError(f"the model of {self.name!r} cannot validate now: {reason}") from None
        except BaseException as error:  # noqa: BLE001 - a validator of the plan's author, whatever it raises
            message = f"parameters: the model of {self.name!r} raised {type(error).__name__}"  # it may hold a value
            raise Refusal(message) from None
        self._valid = True

    def create(self) -> Any:
        return self._counted(self._asked())

    def _asked(self) -> Any:
        self.prepare()
        plan = self._made()
        self._declare(plan)
        return plan.teardown() if self._teardown else plan.create()

    def _made(self) -> Any:
        return self._definition.make(self._parsed, self._context)

    def _counted(self, created: Any) -> Any:
        if isinstance(created, list | tuple):
            self._returned(len(created))
        return created


class _DeferredAsyncPlan(DeferredPlan):
    """The plan is made where its parameters are validated: in a thread, unless neither can block."""

    _plan: Any = None
    _error: Exception | None = None

    def prepare(self) -> None:
        super().prepare()
        if self._plan is None and self._error is None:
            try:
                self._plan = super()._made()
            except Exception as error:  # noqa: BLE001 - create() raises it, where errors of the plan count
                self._error = error

    def _made(self) -> Any:
        plan, error, self._plan, self._error = self._plan, self._error, None, None
        if error is not None:
            raise error
        return plan

    async def create(self) -> Any:
        try:
            created = self._asked()
            return self._counted(await created if inspect.isawaitable(created) else created)
        except InvalidParameters as error:  # of a plan that this one includes
            raise Refusal(self._explain(error)) from None


def deferred(definition: Definition, *arguments: Any, teardown: bool = False, **options: Any) -> DeferredPlan:
    """Return the plan as `DeferredPlan` describes it; its `create()` is async exactly where the plan's own is."""
    asynchronous = definition.teardown_asynchronous if teardown else definition.asynchronous
    made = _DeferredAsyncPlan if asynchronous else DeferredPlan
    return made(definition, *arguments, teardown=teardown, **options)
