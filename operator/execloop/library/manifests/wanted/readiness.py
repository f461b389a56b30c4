"""When an object is ready, as an expression says it: for kinds that kstatus knows nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from execloop.kube import Health
from execloop.library.cel.expression import LONGEST_EXPRESSION, CelError, compile_expression
from execloop.library.cel.field import compiles

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReadyWhen"]


class ReadyWhen(BaseModel):
    """When the objects of a kind are ready."""

    kind: str = Field(min_length=1, description="The kind of the objects.")
    name: str | None = Field(None, description="The name of the one object; all of the kind without it.")
    cel: Annotated[str, compiles("object", result=bool)] = Field(
        max_length=LONGEST_EXPRESSION,
        description="A CEL expression over `object` that is true once it is ready. It needs the extra `cel`, which the"
        " operator's image has.",
    )

    def fits(self, live: Mapping[str, Any]) -> bool:
        """Return whether it is about this object."""
        return self.kind == live["kind"] and self.name in (None, live["metadata"]["name"])

    def health_of(self, live: Mapping[str, Any]) -> Health:
        """Return what the expression says of an object. One that gives no value is not ready yet."""
        metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
        try:
            ready = compile_expression(self.cel, ("object",), bool).evaluate({"object": {**live, "metadata": metadata}})
        except CelError as error:
            return Health("InProgress", f"readyWhen gives no value: {error}")
        return Health("Current", "it is ready") if ready else Health("InProgress", f"readyWhen is false: {self.cel}")
