"""What a plan gets as `context.logger`: each line names the Plan, and no value of a Secret gets out through it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from execloop.controller.plancode.redaction.redactor import Redactor
    from execloop.controller.watch.cache import Key

__all__ = ["PlanLogger"]

LOGGER = "execloop.plan"


class PlanLogger(logging.LoggerAdapter[logging.Logger]):
    def __init__(self, key: Key, redactor: Redactor) -> None:
        super().__init__(logging.getLogger(LOGGER), {"plan": str(key)})
        self._redactor = redactor

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        extra = {**(kwargs.get("extra") or {}), "plan": self.extra["plan"] if self.extra else ""}
        return msg, {**kwargs, "extra": {**extra, "redactor": self._redactor}}
