"""The operator's own objects: its pods, and the namespace they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from execloop.cli.exits import Mistake

if TYPE_CHECKING:
    from execloop.cli.cluster.session import Session

__all__ = ["LABEL", "operator_place", "operator_pods"]

LABEL: Final = "app.kubernetes.io/name=execloop"
_DEFAULT: Final = "execloop-system"

operator_place = click.option(
    "--operator-namespace",
    "home",
    default=_DEFAULT,
    show_default=True,
    metavar="NS",
    help="Where the operator's pods are.",
)


async def operator_pods(session: Session, home: str) -> list[dict[str, Any]]:
    """Return the operator's pods. Raises Mistake when they may not be listed, or there are none; ApiError."""
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    try:
        found = await session.kube.list("v1", "Pod", home, LABEL)
    except ApiError as error:
        if not error.forbidden:
            raise
        raise Mistake(f"{error.message}; this needs list on pods, and get on pods/log, in {home}") from None
    if not found:
        where = "`--operator-namespace` says where the operator is; one that runs as a command logs to its own terminal"
        raise Mistake(f"no pods with the label {LABEL} in {home}; {where}")
    return found
