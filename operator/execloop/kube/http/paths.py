"""URL paths of the Kubernetes API: how they are made, and how an error names what one stands for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["Resource", "describe", "group_path"]

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


def group_path(api_version: str) -> str:
    """Where the resources of `v1` or `apps/v1` are."""
    prefix = "/apis" if "/" in api_version else "/api"
    return f"{prefix}/{'/'.join(_segment('apiVersion', part) for part in api_version.split('/', maxsplit=1))}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the server serves it; `plural` is its name in URLs."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, name: str | None = None, namespace: str | None = None, subresource: str | None = None) -> str:
        parts = [group_path(self.api_version)]
        if self.namespaced and namespace:
            parts += ["namespaces", _segment("namespace", namespace)]
        parts.append(self.plural)
        if name is not None:
            parts.append(_segment("name", name))
        if subresource is not None:
            parts.append(_segment("subresource", subresource))
        return "/".join(parts)


def _segment(field: str, value: str) -> str:
    # The API server's own rule for names in paths: without it a name could lead to another resource.
    if not isinstance(value, str) or value in {"", ".", ".."} or "/" in value or "%" in value:
        raise ValueError(f"{field} {value!r} cannot stand in a URL: it must be text without '/' and '%'")
    return quote(value, safe="")


def describe(method: str, path: str) -> str:
    """`GET configmaps default/x` from a method and a path."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and parts[2] not in _NAMESPACE_SUBRESOURCES:  # noqa: PLR2004 - namespaces, name, plural
        namespace, parts = parts[1], parts[2:]
    match parts:
        case [plural, name, *subresource]:
            scope = f"{namespace}/" if namespace else ""
            return f"{method} {'/'.join([plural, *subresource])} {scope}{name}"
        case [plural] if plural:
            return f"{method} {plural}{f' in {namespace}' if namespace else ''}"
        case _:
            return f"{method} {path}"
