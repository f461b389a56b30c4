"""What people do to a Plan through the page: each request bears the person's own token, so the API server decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from execloop.controller.api.duration import parse_duration
from execloop.kube import ApiError
from execloop.page.views.authentication import document
from execloop.resource import requests
from execloop.resource.fields import API, KIND, condition, state, status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from execloop.page.access.identity import Person
    from execloop.page.site import Site
    from execloop.resource.fields import Plan

__all__ = ["ACTIONS", "Offers", "act", "offered"]

_LONGEST_REASON = 500


class Refused(Exception):
    """What a form asks for cannot be done; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Which actions fit the state of a Plan, as far as the person may do them."""

    reconcile: bool = False
    retry: bool = False
    suspend: bool = False
    resume: bool = False
    approve: bool = False
    forbidden: str = ""
    """The verb that an approval would need and the person does not have."""


async def offered(site: Site, person: Person, plan: Plan) -> Offers:
    """Return what to offer. Raises ApiError."""
    namespace = plan["metadata"]["namespace"]
    if not site.settings.actions or "deletionTimestamp" in plan["metadata"]:
        return Offers()
    if not await site.rights.may(person, "patch", namespace):
        return Offers(forbidden="patch" if _waits_for_approval(plan) else "")
    suspended = (plan.get("spec") or {}).get("suspend") is True
    waits, allowed = _waits_for_approval(plan), await site.rights.may(person, "approve", namespace)
    return Offers(
        reconcile=not suspended,
        retry=not suspended and state(plan) in requests.AFTER_ERRORS,
        suspend=not suspended,
        resume=suspended,
        approve=waits and allowed,
        forbidden="approve" if waits and not allowed else "",
    )


async def act(site: Site, request: web.Request, person: Person) -> web.StreamResponse:
    """Do what a form asks, as the person, and show the Plan again."""
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    kube, form = site.kube(person, namespace), await request.post()
    plan = await kube.get(API, KIND, name, namespace)
    if plan is None:
        raise ApiError(404, "NotFound", f"there is no Plan {namespace}/{name}")
    try:
        body = _wanted(request.match_info["action"], plan, {key: str(value) for key, value in form.items()}, person)
    except Refused as refused:
        return document(site.render("message.html", person, status=409, message=str(refused)), 409)
    await kube.patch(API, KIND, name, body, namespace)
    raise web.HTTPSeeOther(f"/plans/{namespace}/{name}")


def _wanted(action: str, plan: Plan, form: Mapping[str, str], person: Person) -> dict[str, Any]:
    """Return the patch, which counts for the Plan that the person saw only. Raises Refused."""
    uid = plan["metadata"]["uid"]
    if form.get("uid") != uid:
        raise Refused("Another Plan has this name now. Look at it before you act on it.")
    body = ACTIONS[action](plan, form, person)
    return {**body, "metadata": {**body["metadata"], "uid": uid}}


def _waits_for_approval(plan: Plan) -> bool:
    mode = (plan.get("spec") or {}).get("mode")
    return bool(status(plan).get("pending")) and mode != "Preview" and not condition(plan, "Suspended")


def _approve(plan: Plan, form: Mapping[str, str], person: Person) -> dict[str, Any]:
    pending = status(plan).get("pending") or {}
    digest = form.get("digest", "")
    if not digest or pending.get("digest") != digest:
        raise Refused("Other tasks wait now than those that you saw. Read them, and approve again.")
    return requests.approve(digest, person.name)


def _suspend(_plan: Plan, form: Mapping[str, str], person: Person) -> dict[str, Any]:
    length, reason = form.get("length", "").strip(), form.get("reason", "").strip()
    if len(reason) > _LONGEST_REASON:
        raise Refused(f"The reason has over {_LONGEST_REASON} characters. Give a shorter one.")
    try:
        until = datetime.now(UTC) + timedelta(seconds=parse_duration(length)) if length else None
    except (ValueError, OverflowError) as error:
        raise Refused(f"For how long: {length[:40]!r} {error}. Write it as 30m, 2h or 48h.") from None
    return requests.suspend(until, reason or None, person.name)


def _reconcile(_plan: Plan, _form: Mapping[str, str], _person: Person) -> dict[str, Any]:
    return requests.reconcile()


def _resume(_plan: Plan, _form: Mapping[str, str], _person: Person) -> dict[str, Any]:
    return requests.resume()


ACTIONS: Final[Mapping[str, Callable[[Plan, Mapping[str, str], Person], dict[str, Any]]]] = {
    "reconcile": _reconcile,
    "retry": _reconcile,
    "suspend": _suspend,
    "resume": _resume,
    "approve": _approve,
}
