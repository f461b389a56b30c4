"""Kinds of values that several parts of the Plan resource have."""

from datetime import UTC
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

__all__ = ["ZERO_LEFT_OUT", "Count", "Instant", "WholeSecond"]

ZERO_LEFT_OUT = Field(exclude_if=lambda value: value == 0)
Count = Annotated[int, Field(ge=0)]
Instant = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
WholeSecond = Annotated[Instant, AfterValidator(lambda moment: moment.replace(microsecond=0))]
