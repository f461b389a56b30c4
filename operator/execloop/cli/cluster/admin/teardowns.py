"""`execloop teardowns`: the Plans whose teardown does not run once the operator is gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from execloop.cli.exits import CONVERGED, FAILED, Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.kube import Kube

__all__ = ["FINALIZER", "teardowns"]

FINALIZER = "execloop.dev/teardown"
_API, _KIND = "execloop.dev/v1alpha1", "Plan"
_TRIES = 5
_ADVICE = """\
Delete them, and wait until they are gone, while the operator runs. Or remove their finalizers with --remove-finalizers
(in the chart: uninstall.removeFinalizers=true); what their teardown would have removed then stays."""


@click.command()
@click.option("--namespace", "namespaces", multiple=True, metavar="NS", help="Only in this namespace. May be repeated.")
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Default: $KUBECONFIG, the pod's service account, ~/.kube/config.",
)
@click.option("--remove-finalizers", is_flag=True, help="Remove their finalizers, so that they can be deleted.")
def teardowns(namespaces: tuple[str, ...], kubeconfig: Path | None, remove_finalizers: bool) -> int:
    """List the Plans whose teardown has not run yet. Exit code 1 when there are any.

    Without an operator such a Plan, once deleted, stays for ever.
    """
    import asyncio  # noqa: PLC0415 - costly to import

    from execloop.kube import ApiError, ConfigurationError  # noqa: PLC0415 - as above

    try:
        found = asyncio.run(_look(namespaces or ("",), kubeconfig, remove_finalizers))
    except ConfigurationError as error:
        raise Mistake(str(error)) from None
    except ApiError as error:
        click.echo(f"the API server: {error}", err=True)
        return FAILED
    for plan in found:
        click.echo(_name(plan))
    if not found:
        click.echo("no Plan has a teardown left to run", err=True)
    elif remove_finalizers:
        click.echo(f"{len(found)} Plans lost their finalizer; their teardown does not run", err=True)
    else:
        click.echo(f"{len(found)} Plans still have a teardown to run. {_ADVICE}", err=True)
        return FAILED
    return CONVERGED


async def _look(namespaces: Sequence[str], kubeconfig: Path | None, remove: bool) -> list[dict[str, Any]]:
    from execloop.kube import ApiError, Connection, Kube  # noqa: PLC0415 - costly to import

    connection = Connection.load(kubeconfig)
    try:
        kube = Kube(connection)
        try:
            listed = [plan for namespace in namespaces for plan in await kube.list(_API, _KIND, namespace)]
        except ApiError as error:
            if error.reason == "NoSuchKind":  # the CRD went, and the Plans with it
                return []
            raise
        found = [plan for plan in listed if FINALIZER in plan["metadata"].get("finalizers", ())]
        for plan in found if remove else ():
            await _let_go(kube, plan)
        return found
    finally:
        await connection.close()


async def _let_go(kube: Kube, plan: dict[str, Any]) -> None:
    """Only our own finalizer: another's work is not ours to skip."""
    from execloop.kube import MERGE_PATCH, ApiError  # noqa: PLC0415 - costly to import

    live: dict[str, Any] | None = plan
    for attempt in range(_TRIES):
        if live is None:
            return
        metadata = live["metadata"]
        others = [name for name in metadata.get("finalizers", ()) if name != FINALIZER]
        body = {"metadata": {"finalizers": others, "resourceVersion": metadata["resourceVersion"]}}
        path = f"/apis/{_API}/namespaces/{metadata['namespace']}/plans/{metadata['name']}"
        try:
            await kube.request("PATCH", path, body=body, content_type=MERGE_PATCH)
        except ApiError as error:
            if error.reason == "NotFound":
                return
            if error.reason != "Conflict" or attempt == _TRIES - 1:
                raise
        else:
            return
        live = await kube.get(_API, _KIND, metadata["name"], metadata["namespace"])


def _name(plan: dict[str, Any]) -> str:
    return f"{plan['metadata']['namespace']}/{plan['metadata']['name']}"
