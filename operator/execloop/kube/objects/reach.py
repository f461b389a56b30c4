"""What a client may touch for a Plan that acts with the operator's own rights. With a service account RBAC decides."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["Reach"]


@dataclass(frozen=True, slots=True)
class Reach:
    namespace: str
    """The Plan's own."""
    others: tuple[str, ...] = ()
    """What an administrator allows besides: namespaces, in which `*` is any text, and kinds without a namespace."""

    def refusal(self, kind: str, namespace: str | None) -> str | None:
        """Return why an object is out of reach, None when it is not. `namespace`: empty for all of them."""
        if namespace is None:
            if kind in self.others:
                return None
            where, missing = f"{kind}, which has no namespace", kind
        else:
            if namespace == self.namespace or any(fnmatchcase(namespace or "*", other) for other in self.others):
                return None
            where = f"{kind} in the namespace {namespace!r}" if namespace else f"{kind} in all namespaces"
            missing = namespace or "*"
        return (
            f"{where}: without a service account this plan touches objects of its own namespace only:"
            f" set spec.serviceAccountName, or have an administrator allow {missing!r} with --manifests-namespace"
            " (the chart's operator.manifestsNamespaces)"
        )
