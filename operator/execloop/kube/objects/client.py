"""The client that plan code has as `context.kube`: Kubernetes objects as plain dicts, any kind."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar

from execloop.kube.errors import ApiError
from execloop.kube.http.connection import JSON, MERGE_PATCH
from execloop.kube.objects.apply import apply, compare
from execloop.kube.objects.comparison import Comparison, Missing
from execloop.kube.objects.identity import identify
from execloop.kube.objects.ownership import Owner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping

    from execloop.kube.http.connection import Connection
    from execloop.kube.http.paths import Resource
    from execloop.kube.objects.cached import Cached
    from execloop.kube.objects.reach import Reach

__all__ = ["Kube", "Object", "Propagation"]

Object: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Object]  # `list` is a method below
Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]

P = ParamSpec("P")
T = TypeVar("T")

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500
_DEFINITION = "CustomResourceDefinition"
_REFUSALS = range(400, 500)
"""Answers after which nothing was written."""


def _needs_event_loop(
    method: Callable[Concatenate[Kube, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Kube, P], Coroutine[Any, Any, T]]:
    """Refuse the call itself outside async code: the coroutine would be truthy, and never awaited."""

    @functools.wraps(method)
    def call(self: Kube, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise TypeError(
                f"context.kube.{method.__name__}() must be awaited in async plan code; in plain code use"
                " context.api_client, the official synchronous client"
            ) from None
        return method(self, *args, **kwargs)

    call.is_async = True  # type: ignore[attr-defined]  # so that `task("…", context.kube.apply, object)` awaits it
    return call


class Kube:
    """Acts as one owner: what it applies and creates carries that owner's field manager and label.

    Where a namespace can be given, None means the Plan's own; kinds without namespaces ignore it. Every method raises
    ApiError when the server refuses or cannot be reached, ValueError when an argument names nothing that could be
    asked for.
    """

    def __init__(
        self,
        connection: Connection,
        owner: Owner | None = None,
        namespace: str | None = None,
        reach: Reach | None = None,
        cached: Cached | None = None,
    ) -> None:
        self.connection = connection
        self.owner = owner or Owner()
        self.namespace = namespace
        self._reach, self._cached = reach, cached

    @classmethod
    def for_plan(
        cls,
        connection: Connection,
        *,
        namespace: str,
        name: str,
        uid: str,
        reach: Reach | None = None,
        cached: Cached | None = None,
    ) -> Kube:
        """Return the client of a Plan. What is out of its `reach` is refused with 403, as RBAC does it.

        `cached` answers the reads that ask for it.
        """
        return cls(connection, Owner.plan(namespace, name, uid), namespace, reach, cached)

    def of_part(self, name: str) -> Kube:
        """Return the client of a part of this Plan: what it applies carries the part's label, too."""
        return Kube(self.connection, replace(self.owner, part=name), self.namespace, self._reach, self._cached)

    @_needs_event_loop
    async def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None, *, cached: bool = False
    ) -> Object | None:
        """None when it does not exist; neither, perhaps, is its namespace or its kind.

        With `cached` the operator's watch may answer, for an object that carries the Plan's label and is of a kind
        that is `Whole` in the plan's `watches`. It may lag behind the API server, not behind this Plan's writes.
        """
        try:
            resource, place = await self._place(api_version, kind, namespace)
            if cached and self._cached is not None and self.owner.uid:
                found = await self._cached.get(self.connection, self.owner.uid, resource, place or "", name)
                if found is not None:
                    return found
            return await self.connection.request("GET", resource.path(name, place))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    @_needs_event_loop
    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        *,
        most: int | None = None,
    ) -> Objects:
        """All of them, or as soon as there are more than `most`, some more. `namespace=""` lists every namespace.

        Raises ApiError with the reason NoSuchKind for a kind that is not served: no answer would look like none.
        """
        resource = await self.connection.discovery.find(api_version, kind)
        where = self.namespace if namespace is None else namespace
        self._check(resource, (where or "") if resource.namespaced else None)
        path = resource.path(namespace=where)
        query = {"labelSelector": label_selector} if label_selector else {}
        try:
            items = await self._pages(path, {**query, "limit": str(_PAGE)}, most=most)
        except ApiError as error:
            if not error.gone:
                raise
            items = await self._pages(path, query)  # the server forgot where the pages were: all in one, then
        # The server leaves these out of the items of a list.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    @_needs_event_loop
    async def owned(
        self, api_version: str, kind: str, namespace: str | None = None, *, cached: bool = False
    ) -> Objects:
        """Those that this Plan made: they carry its label. `namespace=""` lists every namespace.

        With `cached` the operator's watch may answer, for a kind that is `Whole` in the plan's `watches`: then it
        costs no request. It may lag behind the API server, not behind this Plan's writes by `context.kube`. Without
        the operator no object has a label; then those count of which the field manager `execloop` has a field.

        Raises ApiError as `list` does.
        """
        if cached and self._cached is not None and self.owner.uid:
            resource = await self.connection.discovery.find(api_version, kind)
            where = ((self.namespace if namespace is None else namespace) or "") if resource.namespaced else ""
            self._check(resource, where if resource.namespaced else None)
            found = await self._cached.owned(self.connection, self.owner.uid, resource, where)
            if found is not None:
                return [one for one in found if self.owner.marked(one)]
        listed = await self.list(api_version, kind, namespace, self.owner.selector)
        return listed if self.owner.uid else [one for one in listed if self.owner.wrote(one)]

    @_needs_event_loop
    async def apply(self, object: Mapping[str, Any], *, dry_run: bool = False) -> Object:  # noqa: A002 - the API's word
        """Server-side apply. Takes back by force what drifted.

        Raises ApiError with the reason OwnedByAnotherPlan when another Plan applies the object.
        """
        resource, name, namespace, wanted = await self._prepare(object)
        path = resource.path(name, namespace)
        request = apply(self.connection, path, wanted, self.owner, dry_run=dry_run)
        return await (request if dry_run else self._write(resource, name, namespace, request))

    @_needs_event_loop
    async def compare(self, object: Mapping[str, Any]) -> Comparison:  # noqa: A002 - the API's word
        """What `apply` would do: Missing, Drifted (with paths) or Same. Writes nothing; raises as `apply` does."""
        try:
            resource, name, namespace, wanted = await self._prepare(object)
        except ApiError as error:
            if error.reason == "NoSuchKind":
                return Missing()
            raise
        return await compare(self.connection, resource.path(name, namespace), wanted, self.owner)

    @_needs_event_loop
    async def create(self, object: Mapping[str, Any]) -> Object:  # noqa: A002 - the API's word
        """Raises ApiError with the reason AlreadyExists when it is there."""
        resource, name, namespace, wanted = await self._prepare(object)
        path, query = resource.path(namespace=namespace), {"fieldManager": self.owner.manager}
        return await self._write(
            resource, name, namespace, self.connection.request("POST", path, query=query, body=wanted)
        )

    @_needs_event_loop
    async def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        patch: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Object:
        """A merge patch (RFC 7396): None removes a field, a list replaces the whole list."""
        resource, place = await self._place(api_version, kind, namespace)
        path, query = resource.path(name, place, subresource), {"fieldManager": self.owner.manager}
        request = self.connection.request("PATCH", path, query=query, body=patch, content_type=MERGE_PATCH)
        return await self._write(resource, name, place, request)

    @_needs_event_loop
    async def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        only: Mapping[str, Any] | None = None,
    ) -> None:
        """Returns once the server accepts it, or has no such object; finalizers may keep it for longer.

        With `only`, the object as it was read, one that was changed or created again since then is refused with 409.
        """
        query, body = {"propagationPolicy": propagation}, None
        if only is not None:
            read = {field: only["metadata"][field] for field in ("uid", "resourceVersion")}
            body = {"preconditions": read, "propagationPolicy": propagation}
        try:
            resource, place = await self._place(api_version, kind, namespace)
        except ApiError as error:
            if not error.not_found:
                raise
            return
        request = self.connection.request("DELETE", resource.path(name, place), query=query, body=body)
        await self._delete(resource, name, place, request)

    @_needs_event_loop
    async def versions(self, api_version: str, kind: str, namespace: str | None = None) -> dict[tuple[str, str], str]:
        """Return the resourceVersion of each object that carries this owner's label, by namespace and name.

        Reads metadata alone. `namespace=""` reads every namespace. Empty for an owner without a uid.
        """
        if (selector := self.owner.selector) is None:
            return {}
        resource = await self.connection.discovery.find(api_version, kind)
        where = self.namespace if namespace is None else namespace
        self._check(resource, (where or "") if resource.namespaced else None)
        query = {"labelSelector": selector}
        items = await self._pages(resource.path(namespace=where), query, accept=METADATA_LIST)
        found = (item["metadata"] for item in items)
        return {(one.get("namespace", ""), one["name"]): one["resourceVersion"] for one in found}

    async def placed(self, manifest: Mapping[str, Any]) -> tuple[Resource, str]:
        """Return the kind of an object as the server serves it, and its namespace, empty for a kind without one."""
        identity = identify(manifest)
        resource = await self.connection.discovery.find(identity.api_version, identity.kind)
        return resource, self._namespace(resource, identity.namespace) or ""

    @_needs_event_loop
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        """What the other methods have no word for."""
        self._check_raw()
        return await self.connection.request(
            method, path, query=query, body=body, content_type=content_type, accept=accept
        )

    def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON
    ) -> AsyncGenerator[Object, None]:
        """Each line of an answer without an end, a watch's for one."""
        self._check_raw()
        return self.connection.stream(path, query, accept=accept)

    async def _place(self, api_version: str, kind: str, namespace: str | None) -> tuple[Resource, str | None]:
        resource = await self.connection.discovery.find(api_version, kind)
        return resource, self._namespace(resource, namespace)

    async def _write(
        self, resource: Resource, name: str, namespace: str | None, request: Coroutine[Any, Any, Object]
    ) -> Object:
        """Send it, and let those know who answer reads: what came of it, or that it is unknown."""
        answer: Object | None = None
        refused = False
        try:
            answer = await request
        except ApiError as error:
            refused = error.status in _REFUSALS
            raise
        finally:
            if self._cached is not None and self.owner.uid and not refused:
                self._cached.wrote(self.owner.uid, resource, namespace or "", name, answer)
        self._notice(resource.kind)
        return answer

    async def _delete(
        self, resource: Resource, name: str, namespace: str | None, request: Coroutine[Any, Any, Object]
    ) -> None:
        answer: Object | None = None
        refused = missing = False
        try:
            answer = await request
        except ApiError as error:
            missing, refused = error.not_found, error.status in _REFUSALS
            if not missing:
                raise
        finally:
            if self._cached is not None and self.owner.uid and (missing or not refused):
                about = self.owner.uid, resource, namespace or "", name
                if answer is None and not missing:
                    self._cached.wrote(*about, None)
                else:
                    self._cached.deleted(*about, _uid(answer or {}))
        self._notice(resource.kind)

    def _namespace(self, resource: Resource, namespace: str | None) -> str | None:
        if not resource.namespaced:
            self._check(resource, None)
            return None
        namespace = namespace or self.namespace
        if namespace is None:
            raise ValueError(f"namespace is missing: {resource.kind} lives in one")
        self._check(resource, namespace)
        return namespace

    def _check(self, resource: Resource, namespace: str | None) -> None:
        if self._reach is not None and (refusal := self._reach.refusal(resource.kind, namespace)) is not None:
            raise ApiError(403, "Forbidden", refusal)

    def _check_raw(self) -> None:
        if self._reach is not None:
            raise ApiError(403, "Forbidden", "without a service account this plan sends no requests of its own")

    async def _prepare(self, wanted: Mapping[str, Any]) -> tuple[Resource, str, str | None, Object]:
        """The resource, name and namespace of an object, and what to send: a marked copy."""
        identity = identify(wanted)
        resource = await self.connection.discovery.find(identity.api_version, identity.kind)
        namespace = self._namespace(resource, identity.namespace)
        placed = {**wanted["metadata"], "namespace": namespace}
        if namespace is None:
            del placed["namespace"]
        return resource, identity.name, namespace, self.owner.mark({**wanted, "metadata": placed})

    async def _pages(
        self, path: str, query: Mapping[str, str], *, accept: str = JSON, most: int | None = None
    ) -> Objects:
        items: Objects = []
        position: dict[str, str] = {}
        while True:
            page = await self.connection.request("GET", path, query={**query, **position}, accept=accept)
            items += page["items"] or ()
            token = page["metadata"].get("continue")
            if not token or (most is not None and len(items) > most):
                return items
            position = {"continue": token}

    def _notice(self, kind: str) -> None:
        if kind == _DEFINITION:
            self.connection.discovery.forget()


def _uid(answer: Object) -> str | None:
    """Whose deletion was accepted: the answer is the object, or a Status about it."""
    about: Object = (answer.get("details") if answer.get("kind") == "Status" else answer.get("metadata")) or {}
    return about.get("uid")
