"""One Plan: a tab for each question, each with an address of its own. Everything is read as the person who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from execloop.controller.status.explain import KIND, dependencies, explain
from execloop.kube import ApiError
from execloop.page.plans.execution import history, under_way
from execloop.page.plans.shown import as_stored
from execloop.page.views.actions import offered
from execloop.page.views.authentication import document
from execloop.page.views.feed import PlanFeed
from execloop.page.views.graph import around
from execloop.page.views.live import Drawing, follow
from execloop.resource.events import events_of, seen
from execloop.resource.fields import API, state, status
from execloop.resource.related import health, inventory, related

if TYPE_CHECKING:
    from aiohttp import web

    from execloop.page.access.identity import Person
    from execloop.page.site import Site
    from execloop.resource.fields import Plan

__all__ = ["TABS", "live_plan", "plan"]

TABS: Final = ("overview", "objects", "graph", "history", "events", "yaml")
_RELOAD = {"objects": 5.0, "events": 5.0, "graph": 2.0}
"""Seconds after which a tab is drawn again though the Plan has not changed: it shows more than the Plan."""
_SERVES = 5.0
"""Seconds for which what was read of a Plan serves while its tasks change; then it is read again, as the person."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says."""

    namespace: str
    name: str
    tab: str
    left: str = ""
    right: str = ""

    @classmethod
    def of(cls, request: web.Request) -> Asked:
        found = request.match_info
        tab = found.get("tab", "overview")
        query = request.query
        return cls(found["namespace"], found["name"], tab, query.get("left", ""), query.get("right", ""))


async def plan(site: Site, request: web.Request, person: Person) -> web.StreamResponse:
    """Return the whole page of one tab."""
    asked = Asked.of(request)
    context = await _context(site, person, asked)
    return document(site.render("plan.html", person, **context, **_runs(site, context["plan"], asked)))


async def live_plan(site: Site, request: web.Request, _person: Person) -> web.StreamResponse:
    """Stream what a tab shows whenever that changes."""
    asked = Asked.of(request)
    feed, last = PlanFeed(site, asked.namespace, asked.name), _Last()

    async def draw(person: Person) -> Drawing:
        period = _RELOAD.get(asked.tab)
        tick = int(site.monotonic() / period) if period else 0
        key = (person, _versions(site, asked), tick, site.problem)

        async def html() -> str:
            context = last.context(key, site.monotonic()) or await _context(site, person, asked)
            last.take(key, site.monotonic(), context)
            return site.render("plan_body.html", person, **context, **_runs(site, context["plan"], asked))

        return Drawing((key, feed.runs if asked.tab == "overview" else 0), html)

    return await follow(site, request, draw, feed if asked.tab == "overview" else None)


class _Last:
    """What was read for the last drawing. When tasks alone have changed it serves again, for a short time."""

    def __init__(self) -> None:
        self._held: tuple[object, float, dict[str, Any]] = None, 0.0, {}

    def context(self, key: object, now: float) -> dict[str, Any] | None:
        held, until, context = self._held
        return context if held == key and now < until else None

    def take(self, key: object, now: float, context: dict[str, Any]) -> None:
        if context is not self._held[2]:
            self._held = key, now + _SERVES, context


def _versions(site: Site, asked: Asked) -> frozenset[tuple[str, str, str]]:
    """Return the versions of a Plan and of all Plans that it waits for, directly or not."""
    found: set[tuple[str, str, str]] = set()
    pending, met = [(asked.namespace, asked.name)], set()
    while pending:
        key = pending.pop()
        if key in met:
            continue
        met.add(key)
        summary = site.store.get(*key)
        found.add((*key, "" if summary is None else summary.version))
        pending += () if summary is None else summary.needs
    return frozenset(found)


async def _context(site: Site, person: Person, asked: Asked) -> dict[str, Any]:
    found = await site.kube(person, asked.namespace).get(API, KIND, asked.name, asked.namespace)
    if found is None:
        raise ApiError(404, "NotFound", f"there is no Plan {asked.namespace}/{asked.name}")
    return {
        "asked": asked,
        "plan": found,
        "status": status(found),
        "state": state(found),
        "tabs": TABS,
        **await _OF_TAB[asked.tab](site, person, found, asked),
    }


async def _overview(site: Site, person: Person, found: Plan, asked: Asked) -> dict[str, Any]:
    others = await related(site.kube(person, asked.namespace), found)
    needs = [(one, health(others[one]) if one in others else "?") for one in dependencies(found)]
    offers = await offered(site, person, found)
    return {"explanation": explain(found, others), "needs": needs, "execution": under_way(found), "offers": offers}


def _runs(site: Site, found: Plan, asked: Asked) -> dict[str, Any]:
    """Return what this process knows of the runs of a Plan that the person has just read."""
    return {"known": site.runs.of(found)} if asked.tab == "overview" else {}


async def _objects(site: Site, person: Person, found: Plan, asked: Asked) -> dict[str, Any]:
    return {"objects": await inventory(site.kube(person, asked.namespace), found)}


async def _graph(site: Site, person: Person, _found: Plan, asked: Asked) -> dict[str, Any]:
    return {"graph": await around(site, person, (asked.namespace, asked.name))}


async def _history(_site: Site, _person: Person, found: Plan, asked: Asked) -> dict[str, Any]:
    return {"history": history(found, asked.left, asked.right)}


async def _events(site: Site, person: Person, found: Plan, asked: Asked) -> dict[str, Any]:
    events = await events_of(site.kube(person, asked.namespace), found)
    return {"events": [(seen(one), one) for one in reversed(events)]}


async def _yaml(_site: Site, _person: Person, found: Plan, _asked: Asked) -> dict[str, Any]:
    return {"yaml": yaml.safe_dump(as_stored(found), sort_keys=False, allow_unicode=True, width=100)}


_OF_TAB: Final = {
    "overview": _overview,
    "objects": _objects,
    "graph": _graph,
    "history": _history,
    "events": _events,
    "yaml": _yaml,
}
