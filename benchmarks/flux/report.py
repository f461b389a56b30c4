"""The page that compares execloop with Flux's kustomize-controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.flux.controllers import CONTROLLERS
from benchmarks.picture import Bar, Group, bars

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from benchmarks.flux.measure import Converged

__all__ = ["Sitting", "as_markdown", "as_svg"]

_PREAMBLE = """\
# Beside Flux's kustomize-controller

{number:,} Kustomizations of four ConfigMaps each wait, the controller starts, and all become Ready. The same with
{number:,} Plans `manifests` of the same ConfigMaps. One after the other on one API server. {machine}, shared with the
API server and its etcd; the load average was {load:.1f} before it began. Made by `make bench-flux`.

![Resources a second, processor time and requests](flux.svg)

| | until all are Ready | a second | CPU s | memory MiB | requests for each |
|---|---:|---:|---:|---:|---|
"""
_NOTES = """
*until all are Ready*: from the start of the process. *a second*: from the first that became Ready to the last.
*requests for each*: by verb, as the API server counts them, without watches. `APPLY` is a server-side apply, a dry run
too. kustomize-controller fetches one small archive over HTTP for each reconcile, from a server of the benchmark, and
builds it; execloop has the objects in the Plan. By default kustomize-controller reconciles 4 at once and sends 50
requests a second; the second row has 10 at once, as execloop has, and no such limit. Both prune, both detect drift.

Flux publishes its own figure: 1,000 Kustomizations of four objects in 4 min 13 s on 16 cores, with other limits and a
registry. This page does not repeat that setup.
"""
_REST = """
## While nothing changes

With an interval of 30 s, for 60 s: each resource was looked at twice.

| | requests | of each resource and interval | CPU s |
|---|---|---:|---:|
"""


@dataclass
class Sitting:
    machine: str
    load: float
    number: int
    found: dict[str, Converged] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def _title(name: str) -> str:
    return CONTROLLERS[name][0].title


def as_markdown(sitting: Sitting) -> str:
    preamble = _PREAMBLE.format(number=sitting.number, machine=sitting.machine, load=sitting.load)
    return "".join([preamble, *_rows(sitting), _NOTES, *_rest(sitting), *_left_out(sitting)])


def _rows(sitting: Sitting) -> Iterator[str]:
    for name, found in sitting.found.items():
        yield (
            f"| {_title(name)} | {found.seconds:.1f} s | {found.per_second:.1f} | {found.cpu_seconds:.1f}"
            f" | {found.resident_mib:.0f} | {_verbs(found.requests, sitting.number)} |\n"
        )


def _verbs(requests: Counter[str], number: int) -> str:
    """Return the requests of each resource; what is less than a tenth of one is left out."""
    shares = {verb: count / number for verb, count in sorted(requests.items())}
    total = sum(shares.values())
    parts = ", ".join(f"{share:.1f} {verb}" for verb, share in shares.items() if share >= 0.1)
    return f"{total:.1f}: {parts}" if parts else f"{total:.1f}"


def _rest(sitting: Sitting) -> Iterator[str]:
    rested = {name: found.rest for name, found in sitting.found.items() if found.rest is not None}
    if not rested:
        return
    yield _REST
    for name, rest in rested.items():
        total = sum(rest.requests.values())
        verbs = ", ".join(f"{count} {verb}" for verb, count in sorted(rest.requests.items()) if count) or "none"
        yield f"| {_title(name)} | {verbs} | {total / sitting.number / 2:.1f} | {rest.cpu_seconds:.1f} |\n"


def _left_out(sitting: Sitting) -> Iterator[str]:
    for name, reason in sitting.missing.items():
        yield f"\n{_title(name)} is missing: {reason}.\n"


def as_svg(sitting: Sitting) -> str:
    def group(title: str, values: dict[str, float], unit: str) -> Group:
        kinds = {name: "ours" if name == "execloop" else "peer" for name in values}
        return Group(
            title, [Bar(_short(name), value, f"{value:.1f}{unit}", kinds[name]) for name, value in values.items()]
        )

    found = sitting.found
    groups = [
        group("resources a second", {name: each.per_second for name, each in found.items()}, ""),
        group("processor time", {name: each.cpu_seconds for name, each in found.items()}, " s"),
        group(
            "requests for each",
            {name: sum(each.requests.values()) / sitting.number for name, each in found.items()},
            "",
        ),
    ]
    rested = {name: float(sum(each.rest.requests.values())) for name, each in found.items() if each.rest is not None}
    if rested:
        groups.append(group("requests in 60 s at rest", rested, ""))
    return bars(f"{sitting.number:,} resources of four ConfigMaps each", sitting.machine, groups)


def _short(name: str) -> str:
    return {"flux": "kustomize-controller", "flux-10": "the same, 10 at once"}.get(name, name)
