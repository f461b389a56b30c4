"""What every view of the page stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from execloop.kube import Kube
from execloop.page.access.identity import AUTHENTICATED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from execloop.kube import Connection, Stream
    from execloop.page.access.authenticator import Authenticator
    from execloop.page.access.identity import Identities, Person
    from execloop.page.access.rights import Rights
    from execloop.page.access.session import Sessions
    from execloop.page.metrics import PageMetrics
    from execloop.page.plans.store import Store
    from execloop.page.presentation import Presentation
    from execloop.page.runs.known import KnownRuns
    from execloop.page.settings import PageSettings
    from execloop.page.views.live import Viewers

__all__ = ["Served", "Site"]


class Served(Protocol):
    """What the guards and the streams need of a page, whether it shows a cluster or a run on this machine."""

    @property
    def presentation(self) -> Presentation: ...

    @property
    def viewers(self) -> Viewers: ...

    @property
    def metrics(self) -> PageMetrics: ...

    @property
    def version(self) -> int:
        """It grows with each change of what is shown."""

    async def newer(self, version: int) -> None:
        """Return when something is newer than this version."""

    async def who(self, request: web.Request) -> Person | None:
        """Return who asks, None for a stranger. Raises ApiError."""

    def render(self, template: str, person: Person | None, **context: Any) -> str:
        """Return the HTML of a template for a person, None before anyone has signed in."""


@dataclass(frozen=True, slots=True)
class Site:
    """The page of a cluster."""

    settings: PageSettings
    connection: Connection
    store: Store
    watches: Sequence[Stream]
    identities: Identities
    authenticator: Authenticator
    rights: Rights
    sessions: Sessions
    presentation: Presentation
    viewers: Viewers
    runs: KnownRuns
    metrics: PageMetrics
    monotonic: Callable[[], float]

    @property
    def problem(self) -> str:
        """Why the summaries may be old; empty when they are not."""
        return "; ".join(problem for watch in self.watches if (problem := watch.problem))

    @property
    def version(self) -> int:
        return self.store.version

    async def newer(self, version: int) -> None:
        await self.store.newer(version)

    async def who(self, request: web.Request) -> Person | None:
        return await self.authenticator.who(request)

    def kube(self, person: Person, namespace: str) -> Kube:
        """Return a client that acts as this person: the API server decides what it may do."""
        if person.impersonated:
            groups = [group for group in person.groups if group != AUTHENTICATED]
            return Kube(self.connection.acting_as(person.name, groups), namespace=namespace)
        return Kube(self.connection.bearing(person.token), namespace=namespace)

    def render(self, template: str, person: Person | None, **context: Any) -> str:
        token = "" if person is None else self.sessions.form_token(person.name)
        shared = {"person": person, "form_token": token, "problem": self.problem, "actions": self.settings.actions}
        return self.presentation.render(template, **shared, **context)
