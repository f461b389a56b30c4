"""The rules of the API server, in memory and without time: objects, versions, what a watch would tell.

`tests/integration/test_fake_cluster.py` holds it to the real one. FakeCluster asks it for unit tests, the simulation
through a network that fails.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeAlias

from execloop.kube import ApiError
from tests.merge_patch import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ApiServer", "Change", "Object", "Place", "refuse", "watch_error"]

Object: TypeAlias = dict[str, Any]
_EventType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]

_PLANS = "/apis/execloop.dev/v1alpha1"
_SERVED = {
    "/api/v1": {"ConfigMap": "configmaps", "Secret": "secrets", "ServiceAccount": "serviceaccounts"},
    "/apis/apps/v1": {"Deployment": "deployments"},
    "/apis/coordination.k8s.io/v1": {"Lease": "leases"},
    "/apis/events.k8s.io/v1": {"Event": "events"},
    _PLANS: {"Plan": "plans"},
}
_DELETED_AT = "2026-01-01T00:00:00Z"


class Place(NamedTuple):
    """What a path stands for; a collection has no name, one of all namespaces no namespace."""

    group: str
    namespace: str
    plural: str
    name: str
    subresource: str

    @classmethod
    @lru_cache(10_000)
    def of(cls, path: str) -> Place:
        parts = path.strip("/").split("/")
        length = 2 if parts[0] == "api" else 3
        group, rest = "/" + "/".join(parts[:length]), parts[length:]
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (*rest, "", "", "")[:3]
        return cls(group, namespace, plural, name, subresource)

    def holds(self, other: Place) -> bool:
        """Whether an object belongs to this collection."""
        same = (self.group, self.plural) == (other.group, other.plural)
        return same and self.namespace in {"", other.namespace}


@dataclass(frozen=True, slots=True)
class Change:
    """One write that the server accepted."""

    version: int
    path: str
    before: Object | None
    after: Object | None
    """None when the object is gone; `told` is then its last state."""
    told: Object

    def event(self, selects: Callable[[Object], bool]) -> Object | None:
        """What a watch of a selection tells of it."""
        was = self.before is not None and selects(self.before)
        now = self.after is not None and selects(self.after)
        kinds: dict[tuple[bool, bool], _EventType] = {
            (False, True): "ADDED",
            (True, True): "MODIFIED",
            (True, False): "DELETED",
        }
        kind = kinds.get((was, now))
        return None if kind is None else {"type": kind, "object": self.told}


class ApiServer:
    """Objects by path; each is replaced, never changed, so what was read stays as it was. Requests raise ApiError."""

    def __init__(self, refusal: Callable[[str, Object], object] = lambda _path, _body: None) -> None:
        self.objects: dict[str, Object] = {}
        self.log: list[Change] = []
        self.version = 1000  # a real one has lived before
        self.compacted = 0
        """Watches and pages from before this version are refused with 410."""
        self.terminating: set[str] = set()
        """Namespaces that are being deleted: nothing new is accepted there."""
        self._listeners: list[Callable[[Change], object]] = []
        self._refusal = refusal

    def answer(self, method: str, path: str, body: Object | None = None, query: Mapping[str, str] | None = None) -> Any:
        """The object, or the list, as the server holds it: copy what you mean to change."""
        query = query or {}
        match method:
            case "GET":
                return self._get(path, query)
            case "POST":
                return self._create(path, copy.deepcopy(body or {}), dry=query.get("dryRun") == "All")
            case "PUT":
                return self._update(path, copy.deepcopy(body or {}))
            case "PATCH":
                return self._patch(path, copy.deepcopy(body or {}))
            case "DELETE":
                return self._delete(path, body or {})
            case _:
                raise AssertionError(f"the API server in memory knows no {method}")

    def tell(self, listener: Callable[[Change], object]) -> Callable[[], None]:
        """Call it after each change; the function returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def compact(self) -> None:
        """Forget what happened until now, as etcd does after five minutes."""
        self.compacted = self.version

    def events(self, path: str, query: Mapping[str, str], after: int) -> Iterator[tuple[int, Object]]:
        """What a watch tells of the changes after a version, each with its own. Raises ApiError 410."""
        if after < self.compacted:
            refuse(410, "Expired", f"too old resource version: {after} ({self.compacted})")
        collection, selects = Place.of(path), _selection(query)
        for change in self._changes(after):
            if collection.holds(Place.of(change.path)) and (event := change.event(selects)) is not None:
                yield change.version, event

    def initial(self, path: str, query: Mapping[str, str]) -> list[Object]:
        """What a watch without a version tells first: ADDED for what is there."""
        selects = _selection(query)
        return [{"type": "ADDED", "object": item} for item in self._items(path, self.version) if selects(item)]

    def _changes(self, after: int) -> Iterator[Change]:
        start = len(self.log)
        while start and self.log[start - 1].version > after:
            start -= 1
        return iter(self.log[start:])

    # -- reading

    def _get(self, path: str, query: Mapping[str, str]) -> Object:
        if path in _SERVED:
            return {"resources": [{"kind": k, "name": n, "namespaced": True} for k, n in _SERVED[path].items()]}
        place = Place.of(path)
        if place.plural in _SERVED.get(place.group, {}).values() and not place.name:
            return self._list(path, query)
        return self._found(path)

    def _list(self, path: str, query: Mapping[str, str]) -> Object:
        version, start, selects = self.version, "", _selection(query)
        if token := query.get("continue"):
            text, _, start = token.partition("|")
            version = int(text)
            if version < self.compacted:
                refuse(410, "Expired", "The provided continue parameter is too old to display a consistent list result")
        items = [item for item in self._items(path, version, start) if selects(item)]
        metadata = {"resourceVersion": str(version)}
        limit = int(query.get("limit", "0")) or len(items)
        if len(items) > limit:
            metadata |= {"continue": f"{version}|{_name(items[limit])}", "remainingItemCount": str(len(items) - limit)}
        return {"metadata": metadata, "items": items[:limit]}

    def _items(self, path: str, version: int, start: str = "") -> list[Object]:
        """As they were at a version, in the order of their names, from one on."""
        then = dict(self.objects)
        for change in reversed(list(self._changes(version))):
            if change.before is None:
                then.pop(change.path, None)
            else:
                then[change.path] = change.before
        collection = Place.of(path)
        found = (body for at, body in then.items() if collection.holds(Place.of(at)))
        return sorted((body for body in found if _name(body) >= start), key=_name)

    def _found(self, path: str) -> Object:
        if path not in self.objects:
            refuse(404, "NotFound", path)
        return self.objects[path]

    # -- writing

    def _create(self, collection: str, body: Object, *, dry: bool) -> Object:
        place = Place.of(collection)
        path = f"{collection}/{body['metadata']['name']}"
        if place.namespace in self.terminating:
            message = f"unable to create new content in namespace {place.namespace} because it is being terminated"
            refuse(403, "Forbidden", message)
        if path in self.objects:
            refuse(409, "AlreadyExists", path)
        metadata = body["metadata"] | {"uid": f"uid-{self.version + 1}", "generation": 1}
        if place.namespace:
            metadata["namespace"] = place.namespace
        if place.group == _PLANS:
            body["status"] = {"observedGeneration": -1}
        created = {**body, "metadata": metadata}
        self._refusal(path, created)
        return created if dry else self._store(path, created)

    def _update(self, path: str, body: Object) -> Object:
        target = path.removesuffix("/status") if Place.of(path).subresource == "status" else path
        old = self._found(target)
        self._precondition(old, body["metadata"].get("resourceVersion"))
        if body["metadata"].get("uid", old["metadata"].get("uid")) != old["metadata"].get("uid"):
            refuse(409, "Conflict", "Precondition failed: UID in precondition")
        if target != path:
            new = old | {"status": body.get("status", {})}
            return old if new == old else self._replace(target, old, new)
        kept = {name: old["metadata"][name] for name in ("uid", "generation") if name in old["metadata"]}
        new = {**body, "metadata": body["metadata"] | kept}
        return old if new == old else self._replace(path, old, new)

    def _patch(self, path: str, patch: Object) -> Object:
        target = path.removesuffix("/status") if Place.of(path).subresource == "status" else path
        old = self._found(target)
        metadata = patch.get("metadata") or {}
        self._precondition(old, metadata.pop("resourceVersion", None))
        if metadata.pop("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            refuse(422, "Invalid", "metadata.uid: field is immutable")
        if target != path:
            new = old | {"status": merged(old.get("status", {}), patch.get("status", {}))}
        else:
            new = merged(old, {key: value for key, value in patch.items() if key != "status"})
        return old if new == old else self._replace(target, old, new)  # nothing changed: nothing is written

    def _replace(self, path: str, old: Object, new: Object) -> Object:
        before, after = set(old["metadata"].get("finalizers") or ()), set(new["metadata"].get("finalizers") or ())
        if "deletionTimestamp" in old["metadata"] and after - before:
            refuse(422, "Invalid", "no new finalizers can be added if the object is being deleted")
        if new.get("spec") != old.get("spec"):
            new["metadata"] = new["metadata"] | {"generation": old["metadata"]["generation"] + 1}
        self._refusal(path, new)
        return self._store(path, new)

    def _delete(self, path: str, options: Object) -> Object:
        old = self._found(path)
        for field, value in options.get("preconditions", {}).items():
            if old["metadata"][field] != value:
                refuse(409, "Conflict", f"Precondition failed: {field} in precondition: {value}")
        if "deletionTimestamp" in old["metadata"]:
            return old
        deleted = {"deletionTimestamp": _DELETED_AT, "generation": old["metadata"]["generation"] + 1}
        return self._store(path, old | {"metadata": old["metadata"] | deleted})

    def _precondition(self, old: Object, based_on: str | None) -> None:
        if based_on not in {None, "", old["metadata"]["resourceVersion"]}:
            refuse(409, "Conflict", "the object has been modified")

    def _store(self, path: str, body: Object) -> Object:
        before = self.objects.get(path)
        self.version += 1
        body["metadata"] = body["metadata"] | {"resourceVersion": str(self.version)}
        gone = "deletionTimestamp" in body["metadata"] and not body["metadata"].get("finalizers")
        if gone:
            self.objects.pop(path, None)
        else:
            self.objects[path] = body
        change = Change(self.version, path, before, None if gone else body, body)
        self.log.append(change)
        for listener in tuple(self._listeners):
            listener(change)
        return body


def refuse(status: int, reason: str, message: str, *, retry_after: float | None = None) -> NoReturn:
    raise ApiError(status, reason, message, retry_after=retry_after)


def watch_error(error: ApiError) -> Object:
    """How a watch that has begun tells of an error."""
    return {
        "type": "ERROR",
        "object": {"kind": "Status", "code": error.status, "reason": error.reason, "message": error.message},
    }


def _name(body: Object) -> str:
    return f"{body['metadata'].get('namespace', '')}/{body['metadata']['name']}"


def _selection(query: Mapping[str, str]) -> Callable[[Object], bool]:
    """By one label that must be there, or have a value, and by name: all that the operator asks for."""
    label, _, value = query.get("labelSelector", "").partition("=")
    _, _, name = query.get("fieldSelector", "").partition("metadata.name=")

    def selects(body: Object) -> bool:
        labels = body["metadata"].get("labels") or {}
        labelled = not label or (label in labels and value in {"", labels[label]})
        return labelled and name in {"", body["metadata"]["name"]}

    return selects
