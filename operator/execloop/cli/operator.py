"""`execloop operator`: converge the Plans of a cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from execloop.cli.exits import Mistake
from execloop.cli.target import plans_option

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["operator"]


@click.command()
@click.option("--namespace", "namespaces", multiple=True, metavar="NS", help="Watch this namespace. May be repeated.")
@click.option("--all-namespaces", is_flag=True, help="Watch all namespaces, which is the default.")
@plans_option
@click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--workers", type=click.IntRange(1, 1000), default=10, show_default=True, help="Plan calls at one moment."
)
@click.option(
    "--max-threads", type=click.IntRange(1), default=200, show_default=True, help="Threads for plan code that blocks."
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="NS=PLAN[,PLAN...]",
    help="Let a namespace use these plans; * is any text. With one such rule nothing else is allowed. May be repeated.",
)
@click.option("--default-service-account", metavar="NAME", help="Whom Plans act as that name no service account.")
@click.option("--require-service-account", is_flag=True, help="Let no Plan act with the operator's own rights.")
@click.option("--cross-namespace-dependencies", is_flag=True, help="Let dependsOn look into other namespaces.")
@click.option("--health-port", type=click.IntRange(1, 65535), help="Serve /healthz and /readyz on this port.")
@click.option("--log-format", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def operator(
    namespaces: tuple[str, ...],
    all_namespaces: bool,
    folders: tuple[Path, ...],
    kubeconfig: Path | None,
    workers: int,
    max_threads: int,
    allowed: tuple[str, ...],
    default_service_account: str | None,
    require_service_account: bool,
    cross_namespace_dependencies: bool,
    health_port: int | None,
    log_format: Literal["plain", "json"],
    log_level: str,
) -> int:
    """Converge the Plans of a cluster, until SIGTERM."""
    from execloop.controller import operator as life  # noqa: PLC0415 - Kopf is costly to import
    from execloop.controller.access import Access  # noqa: PLC0415
    from execloop.controller.logs import configure  # noqa: PLC0415
    from execloop.controller.settings import Settings  # noqa: PLC0415
    from execloop.kube import ConfigurationError  # noqa: PLC0415

    if namespaces and all_namespaces:
        raise Mistake("--namespace and --all-namespaces contradict each other")
    configure(log_format, log_level)
    try:
        access = Access.parse(
            allowed,
            default_service_account=default_service_account,
            require_service_account=require_service_account,
            cross_namespace=cross_namespace_dependencies,
        )
    except ValueError as error:
        raise Mistake(f"--allow: {error}") from None
    settings = Settings(
        namespaces, folders, kubeconfig, workers, max_threads, health_port, log_format, log_level, access
    )
    try:
        return asyncio.run(life.run(settings))
    except ConfigurationError as error:
        raise Mistake(str(error)) from None
