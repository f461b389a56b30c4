"""What names an object: an entry of `context.inventory`, and a label for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Entry", "group_of"]


class Entry(NamedTuple):
    """An object, whatever version it is asked for in. `namespace` is empty for a kind without one."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any], namespace: str) -> Entry:
        return cls(group_of(manifest["apiVersion"]), manifest["kind"], namespace, manifest["metadata"]["name"])

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Return the object of an entry of the inventory: `kind.group/namespace/name`, after `part:` or nothing."""
        head, _, rest = text.partition("/")
        head = head.rpartition(":")[2]
        namespace, _, name = rest.rpartition("/")
        kind, _, group = head.partition(".")
        return cls(group, kind, namespace, name)

    def __str__(self) -> str:
        head = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{head}/{self.namespace}/{self.name}"

    @property
    def label(self) -> str:
        """Return the name for people: `ConfigMap team-a/settings`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]
