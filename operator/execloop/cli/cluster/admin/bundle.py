"""`execloop bundle`: what a bug report needs of a Plan, without values of parameters."""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from execloop.cli.cluster.admin.check import line
from execloop.cli.cluster.admin.fitness import findings
from execloop.cli.cluster.pods import operator_place
from execloop.cli.cluster.selection import name_argument
from execloop.cli.cluster.session import Plan, Session, connected
from execloop.cli.exits import CONVERGED, Mistake
from execloop.resource.events import events_of
from execloop.resource.related import related

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bundle", "redacted"]

_OURS = "execloop.dev/"


@click.command(
    epilog="""\b
Examples:
  execloop bundle orders
  execloop bundle orders --output orders.tar.gz"""
)
@name_argument
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: NAME.tar.gz."
)
@operator_place
@connected
async def bundle(session: Session, name: str, output: Path | None, home: str) -> int:
    """Write the Plan, what it depends on, its Events, and the findings of `check` into one file.

    Values of parameters, and annotations and labels of others, are left out. Read it before you send it.
    """
    file = output or Path(f"{name}.tar.gz")
    if file.exists():
        raise Mistake(f"{file} exists already: choose another --output")
    contents = await _contents(session, await session.plan(name), home)
    try:
        file.write_bytes(_packed(contents))
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    click.echo(f"{file}: {', '.join(contents)}; read it before you send it")
    return CONVERGED


async def _contents(session: Session, plan: Plan, home: str) -> dict[str, str]:
    from importlib.metadata import version  # noqa: PLC0415 - costly to import

    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    found = {"version.txt": version("execloop"), "plan.json": _json(redacted(plan))}
    others = [
        redacted(one) for one in (await related(session.kube, plan)).values() if one and one.get("kind") == "Plan"
    ]
    if others:
        found["dependencies.json"] = _json(others)
    try:
        found["events.json"] = _json([_event(one) for one in await events_of(session.kube, plan)])
        lines = [line(one.mark, one.what, one.detail, one.next) async for one in findings(session, home)]
        found["check.txt"] = click.unstyle("\n".join(lines))
    except ApiError as error:
        found["missing.txt"] = str(error)
    return found


def redacted(plan: Plan) -> dict[str, Any]:
    """Return a Plan without the values of its parameters, and without what others wrote into its metadata."""
    metadata = plan["metadata"]
    kept = ("name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp")
    ours = {name: value for name, value in (metadata.get("annotations") or {}).items() if name.startswith(_OURS)}
    spec = dict(plan.get("spec") or {})
    if "parameters" in spec:
        spec["parameters"] = _without_values(spec["parameters"])
    return {
        "apiVersion": plan.get("apiVersion"),
        "kind": plan.get("kind"),
        "metadata": {
            **{field: metadata[field] for field in kept if field in metadata},
            "finalizers": metadata.get("finalizers", []),
            "annotations": ours,
            "managers": sorted({str(one.get("manager")) for one in metadata.get("managedFields") or ()}),
        },
        "spec": spec,
        "status": plan.get("status"),
    }


def _without_values(value: Any) -> Any:
    """Return the same shape, with the type of each value in its place."""
    if isinstance(value, dict):
        return {name: _without_values(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_values(item) for item in value]
    return f"({type(value).__name__})"


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    fields = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime")
    return {field: event[field] for field in fields if event.get(field) is not None}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _packed(contents: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in contents.items():
            data = f"{text.rstrip()}\n".encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
