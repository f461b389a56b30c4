"""What the pods of a Job left: the output of one that succeeded, the exit and the end of the log of one that failed."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from execloop.kube import Kube

__all__ = ["failure_of", "output_of", "pods_of"]

_LINES, _BYTES, _SHOWN = 10, 4096, 600
_JOB = "batch.kubernetes.io/job-name"
_AT_A_TIME = 50
"""Names in one request: they are part of its address."""


async def pods_of(kube: Kube, jobs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the newest pod of each of these Jobs, by the Job's name."""
    found: dict[str, dict[str, Any]] = {}
    for at in range(0, len(jobs), _AT_A_TIME):
        selector = f"{_JOB} in ({','.join(jobs[at : at + _AT_A_TIME])})"
        for pod in await kube.list("v1", "Pod", label_selector=selector):
            name = pod["metadata"]["labels"][_JOB]
            if name not in found or _created(found[name]) <= _created(pod):
                found[name] = pod
    return found


def output_of(pod: Mapping[str, Any] | None, container: str) -> Any:
    """Return the termination message of a container: JSON where it is, else text. Raises ValueError when it is gone."""
    state = _terminated(pod, container)
    if state is None:
        raise ValueError("its pod was deleted before its output was read")
    message = state.get("message")
    if not message:
        raise ValueError("it ended without a termination message, which is its output")
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return message.strip()


async def failure_of(kube: Kube, job: Mapping[str, Any], reason: str, container: str) -> str:
    """Return why an attempt failed, with the end of the log; what cannot be read is left out."""
    name = job["metadata"]["name"]
    try:
        pod = (await pods_of(kube, [name])).get(name)
    except ApiError as error:
        return f"{reason} (its pods cannot be read: {error})"
    if pod is None:
        return reason
    state = _terminated(pod, container) or {}
    code = state.get("exitCode")
    why = reason if code is None else f"exit code {code}" + _because(state.get("reason"))
    tail = await _tail(kube, pod, container)
    return f"{why}: {tail}" if tail else why


async def _tail(kube: Kube, pod: Mapping[str, Any], container: str) -> str:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    query = {"container": container, "tailLines": str(_LINES), "limitBytes": str(_BYTES)}
    kept: list[str] = []
    try:
        async with aclosing(kube.connection.lines(path, query)) as lines:
            async for line in lines:
                kept.append(line)
                if len(kept) >= _LINES:
                    break
    except ApiError as error:
        return f"(its log cannot be read: {error.reason})" if error.forbidden else ""
    if sum(len(line.encode()) + 1 for line in kept) >= _BYTES:
        kept.pop()  # the server cut it: half of a Secret's value would not be recognized as one
    return _ending(["".join(each if each.isprintable() else " " for each in line).strip() for line in kept])


def _ending(lines: list[str]) -> str:
    """Return the last lines that are short enough together, each of them whole."""
    shown: list[str] = []
    for line in reversed(lines):
        if sum(map(len, shown)) + len(line) > _SHOWN:
            break
        shown.insert(0, line)
    return " / ".join(line for line in shown if line)


def _terminated(pod: Mapping[str, Any] | None, container: str) -> Mapping[str, Any] | None:
    for status in (pod or {}).get("status", {}).get("containerStatuses") or ():
        if status.get("name") == container:
            found: Mapping[str, Any] | None = (status.get("state") or {}).get("terminated")
            return found
    return None


def _because(reason: str | None) -> str:
    return "" if reason in {None, "", "Error"} else f" ({reason})"


def _created(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")
