"""`execloop operator`: converge the Plans of a cluster."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from execloop.cli.exits import Mistake
from execloop.cli.labels import label_selector
from execloop.cli.local.target import plans_option
from execloop.cli.page_options import page_options

if TYPE_CHECKING:
    from typing import Literal

    from execloop.controller.access import Access
    from execloop.controller.manager.process import Beside
    from execloop.controller.settings import Election, Settings
    from execloop.page.settings import PageSettings

__all__ = ["operator"]

_SHORTEST, _LONGEST = 3, 3600
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def _name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None or _NAME.fullmatch(value):
        return value
    raise click.BadParameter(f"{value!r} should be lower-case letters, digits, '-' and '.'")


def _seconds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """A Lease counts whole seconds."""
    from execloop.controller.api.duration import parse_duration  # noqa: PLC0415 - needs the extra `operator`

    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} {error}") from None
    if not _SHORTEST <= seconds <= _LONGEST or seconds != int(seconds):
        raise click.BadParameter(f"{value!r} should be whole seconds, from {_SHORTEST}s to 1h")
    return int(seconds)


@click.command()
@click.option("--namespace", "namespaces", multiple=True, metavar="NS", help="Watch this namespace. May be repeated.")
@click.option("--all-namespaces", is_flag=True, help="Watch all namespaces, which is the default.")
@click.option(
    "--selector",
    callback=label_selector,
    metavar="LABELS",
    help="Watch only Plans with these labels, such as team=shop.",
)
@plans_option
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Default: $KUBECONFIG, the pod's service account, ~/.kube/config.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Calls of plan code at the same time.",
)
@click.option(
    "--max-threads", type=click.IntRange(1), default=200, show_default=True, help="Threads for plan code that blocks."
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="NS=PLAN[,PLAN...]",
    help="Let a namespace use these plans; * is any text. With a rule, everything else is refused. May be repeated.",
)
@click.option("--default-service-account", metavar="NAME", help="Service account for Plans that do not set one.")
@click.option("--require-service-account", is_flag=True, help="Refuse Plans that have no service account.")
@click.option(
    "--require-service-account-for",
    "accounts_for",
    multiple=True,
    metavar="PLAN",
    help="Refuse Plans of this plan without a service account; * is any text. May be repeated.",
)
@click.option(
    "--manifests-namespace",
    "manifests_namespaces",
    multiple=True,
    metavar="NS|KIND",
    help="Let built-in plans without a service account touch this namespace, or kind without one. May be repeated.",
)
@click.option(
    "--plan-folder",
    "plan_folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Let built-in plans read files below this folder, such as a mount with migrations. May be repeated.",
)
@click.option(
    "--plan-address",
    "plan_addresses",
    multiple=True,
    metavar="NET|HOST",
    help="Let built-in plans connect to this internal network (10.0.0.0/8) or host; * is any text. May be repeated.",
)
@click.option("--trust-secrets-policy", is_flag=True, help="Assume that the policy about Secrets is in force.")
@click.option(
    "--cross-namespace-dependencies", is_flag=True, help="Allow dependsOn to name objects of other namespaces."
)
@click.option("--leader-elect", is_flag=True, help="Work only while holding a Lease: for two replicas and more.")
@click.option("--lease-name", callback=_name, metavar="NAME", help="Name of the Lease.  [default: execloop]")
@click.option(
    "--lease-namespace", callback=_name, metavar="NS", help="Namespace of the Lease.  [default: the operator's own]"
)
@click.option(
    "--lease-duration",
    callback=_seconds,
    metavar="DURATION",
    help="How long a standby waits for a leader that does not renew.  [default: 15s]",
)
@click.option(
    "--shards",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Divide the Plans into N ranges, with a Lease each, which the replicas share.  [default: 1]",
)
@click.option(
    "--shard-selector",
    is_flag=True,
    help="Ask the API server for the Plans of the own ranges only: an alpha feature, ShardedListAndWatch.",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Record here which plan code runs, to find a Plan that ends the process.  [default: in the temporary folder]",
)
@click.option("--health-port", type=click.IntRange(1, 65535), help="Serve /healthz, /readyz and /metrics on this port.")
@page_options
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    show_default=True,
    help="Text for people, or one JSON object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least severe messages that are logged.",
)
def operator(
    namespaces: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    folders: tuple[Path, ...],
    kubeconfig: Path | None,
    workers: int,
    max_threads: int,
    allowed: tuple[str, ...],
    default_service_account: str | None,
    require_service_account: bool,
    accounts_for: tuple[str, ...],
    manifests_namespaces: tuple[str, ...],
    plan_folders: tuple[Path, ...],
    plan_addresses: tuple[str, ...],
    trust_secrets_policy: bool,
    cross_namespace_dependencies: bool,
    leader_elect: bool,
    lease_name: str | None,
    lease_namespace: str | None,
    lease_duration: int | None,
    shards: int | None,
    shard_selector: bool,
    journal: Path | None,
    health_port: int | None,
    page: PageSettings | None,
    log_format: Literal["plain", "json"],
    log_level: str,
) -> NoReturn:
    """Converge the Plans of a cluster, until SIGTERM."""
    from execloop._plans.limits import Limits  # noqa: PLC0415 - as below
    from execloop.controller.settings import Settings  # noqa: PLC0415 - needs the extra `operator`

    if namespaces and all_namespaces:
        raise Mistake("--namespace and --all-namespaces contradict each other")
    access = _access(
        allowed,
        default_service_account=default_service_account,
        require_service_account=require_service_account,
        require_service_account_for=accounts_for,
        manifests_namespaces=manifests_namespaces,
        cross_namespace=cross_namespace_dependencies,
        limits=Limits(plan_folders, plan_addresses),
    )
    election = _election(
        leader_elect,
        name=lease_name,
        namespace=lease_namespace,
        duration=lease_duration,
        shards=shards,
        shard_selector=shard_selector or None,
    )
    scope = Settings(namespaces, folders, kubeconfig, workers, max_threads, health_port, selector)
    scope = replace(scope, election=election, access=access, trust_secrets_policy=trust_secrets_policy)
    _operate(replace(scope, journal=journal, log_format=log_format, log_level=log_level), page)


def _operate(settings: Settings, page: PageSettings | None) -> NoReturn:
    from execloop.controller.manager import tuning  # noqa: PLC0415 - costly to import
    from execloop.controller.manager.departure import leave  # noqa: PLC0415
    from execloop.controller.manager.logs import configure  # noqa: PLC0415
    from execloop.controller.manager.process import run  # noqa: PLC0415
    from execloop.kube import ConfigurationError  # noqa: PLC0415

    configure(settings.log_format, settings.log_level)
    tuning.collect_seldom()
    tuning.switch_soon()
    tuning.read_deep_objects()

    async def live() -> NoReturn:
        code = await run(settings, None if page is None else _beside(settings, page))
        leave(code)  # from here: a loop that is closed waits for its threads, the interpreter for all

    try:
        with asyncio.Runner(loop_factory=tuning.loop_factory()) as runner:
            runner.run(live())
    except ConfigurationError as error:
        raise Mistake(str(error)) from None


def _beside(settings: Settings, page: PageSettings) -> Beside:
    """Return what serves the page. Raises ModuleNotFoundError without the extra `page`."""
    from prometheus_client import REGISTRY  # noqa: PLC0415 - needs the extra `operator`

    from execloop.page.server import Page  # noqa: PLC0415 - needs the extra `page`

    return Page(settings.namespaces, page, REGISTRY)


def _access(allowed: tuple[str, ...], **others: object) -> Access:
    from execloop.controller.access import Access  # noqa: PLC0415 - as above

    try:
        return Access.parse(allowed, **others)
    except ValueError as error:
        raise Mistake(f"--allow: {error}") from None


def _election(wanted: bool, **options: str | int | None) -> Election | None:
    from execloop.controller.settings import Election  # noqa: PLC0415 - as above

    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if given and not wanted:
        option = next(iter(given)).replace("_", "-")
        raise Mistake(f"--{option if option.startswith('shard') else f'lease-{option}'} needs --leader-elect")
    if "shard_selector" in given and given.get("shards", 1) == 1:
        raise Mistake("--shard-selector needs --shards of more than 1")
    return Election(**given) if wanted else None
