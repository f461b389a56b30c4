"""What a cluster needs so that Plans converge, one finding each: version, CRD, operator, leader, policies, rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from execloop.cli.cluster.pods import LABEL
from execloop.resource.times import moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from execloop.cli.cluster.session import Session

__all__ = ["Finding", "findings"]

Mark: TypeAlias = Literal["good", "bad", "unknown"]

_CRD = "plans.execloop.dev"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_VERBS = ("get", "list", "watch", "patch", "create", "delete", "approve")


@dataclass(frozen=True, slots=True)
class Finding:
    mark: Mark
    what: str
    detail: str
    next: str = ""


async def findings(session: Session, home: str) -> AsyncIterator[Finding]:
    """Yield what there is to say. `home`: the operator's namespace. Raises ApiError when no answer comes at all."""
    yield version(await session.kube.request("GET", "/version"))
    yield await _definition(session)
    yield await _operator(session, home)
    yield await _leader(session, home)
    async for finding in _policies(session):
        yield finding
    yield await _rights(session)


def version(found: Mapping[str, Any]) -> Finding:
    """Return whether the operator supports this Kubernetes."""
    from execloop.controller.manager.preflight import MINIMUM  # noqa: PLC0415 - costly to import

    digits = [int("".join(filter(str.isdigit, str(found.get(part, "")))) or 0) for part in ("major", "minor")]
    least = ".".join(map(str, MINIMUM))
    if tuple(digits) >= MINIMUM:
        return Finding("good", "Kubernetes", str(found.get("gitVersion")))
    return Finding("bad", "Kubernetes", f"{found.get('gitVersion')} is too old", f"upgrade to {least} or newer")


async def _definition(session: Session) -> Finding:
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    try:
        found = await session.kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", _CRD)
    except ApiError as error:
        return Finding("unknown", "CRD", f"may not be read: {error.message}")
    return definition(found)


def definition(found: Mapping[str, Any] | None) -> Finding:
    """Return whether the CRD is there, and of this version."""
    from execloop.controller.api.crd import crd  # noqa: PLC0415 - costly to import

    apply = "kubectl apply --server-side -f crds/execloop.dev_plans.yaml, or upgrade the chart"
    if found is None:
        return Finding("bad", "CRD", f"{_CRD} is not installed", apply)
    lacks = sorted(_fields(crd()) - _fields(found))
    if lacks:
        return Finding("bad", "CRD", f"is of an older version, without {', '.join(lacks)}", apply)
    return Finding("good", "CRD", f"{_CRD} has all fields of this version")


def _fields(definition: Mapping[str, Any]) -> set[str]:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return {f"{part}.{name}" for part in ("spec", "status") for name in schema.get(part, {}).get("properties", {})}


async def _operator(session: Session, home: str) -> Finding:
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    try:
        found = await session.kube.list("apps/v1", "Deployment", home, LABEL)
    except ApiError as error:
        return Finding("unknown", "operator", f"may not be looked at in {home}: {error.message}")
    ready = sum(int((one.get("status") or {}).get("readyReplicas") or 0) for one in found)
    if ready:
        return Finding("good", "operator", f"ready replicas in {home}: {ready}")
    where = "no replica is ready" if found else f"no Deployment has the label {LABEL}"
    return Finding("bad", "operator", f"{where} in {home}", "kubectl get pods there; or give --operator-namespace")


async def _leader(session: Session, home: str) -> Finding:
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    try:
        leases = await session.kube.list("coordination.k8s.io/v1", "Lease", home)
    except ApiError as error:
        return Finding("unknown", "leader", f"the Leases of {home} may not be read: {error.message}")
    return leader([one for one in leases if one["metadata"]["name"].startswith("execloop")], home)


def leader(leases: list[dict[str, Any]], home: str, now: datetime | None = None) -> Finding:
    """Return who leads, by the Leases; one that is not renewed in its time leads no more."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - beside the type of `now`

    found = []
    for lease in leases:
        spec = lease.get("spec") or {}
        renewed, holder = moment(spec.get("renewTime")), spec.get("holderIdentity")
        if holder and renewed:
            ends = renewed + timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))
            found.append((str(holder), ends >= (now or datetime.now(UTC))))
    if not found:
        return Finding("unknown", "leader", f"no Lease in {home}: an operator without --leader-elect has none")
    late = [holder for holder, live in found if not live]
    if late:
        return Finding(
            "bad", "leader", f"{', '.join(late)} has not renewed its Lease in time", "see the operator's log"
        )
    return Finding("good", "leader", ", ".join(holder for holder, _ in found))


async def _policies(session: Session) -> AsyncIterator[Finding]:
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    group, kind = "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"
    try:
        found = [str(one.get("spec")) for one in await session.kube.list(group, kind, "")]
    except ApiError as error:
        yield Finding("unknown", "policies", f"may not be read: {error.message}")
        return
    for what, text, file in (
        ("approvals", "execloop.dev/approve", "crds/approval.yaml"),
        ("secrets", "parametersFrom", "crds/secrets.yaml"),
    ):
        if any(text in spec and "execloop.dev" in spec for spec in found):
            yield Finding("good", f"policy for {what}", "is installed")
        else:
            yield Finding("unknown", f"policy for {what}", "is not installed", f"kubectl apply --server-side -f {file}")


async def _rights(session: Session) -> Finding:
    allowed = [verb for verb in _VERBS if await _may(session, verb)]
    missing = [verb for verb in ("get", "list", "watch") if verb not in allowed]
    detail = f"you may {', '.join(allowed) or 'do nothing'} on plans in {session.namespace}"
    if missing:
        return Finding("bad", "your rights", f"{detail}; not {', '.join(missing)}", "ask for the role `view`")
    return Finding("good", "your rights", detail)


async def _may(session: Session, verb: str) -> bool:
    attributes = {"namespace": session.namespace, "verb": verb, "group": "execloop.dev", "resource": "plans"}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await session.kube.request("POST", _REVIEWS, body=body)
    return bool(answer["status"].get("allowed"))
