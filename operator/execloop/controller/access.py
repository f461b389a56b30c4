"""What an administrator lets Plans do: which plans a namespace may use, and on whose behalf they act."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop.controller.api.v1alpha1 import PlanSpec

__all__ = ["Access"]


@dataclass(frozen=True, slots=True)
class Access:
    allowed: tuple[tuple[str, str], ...] = ()
    """Pairs of patterns, (namespace, plan), in which `*` is any text. Empty: every namespace may use every plan."""
    default_service_account: str | None = None
    """For Plans that name none; it is looked for in the Plan's namespace."""
    require_service_account: bool = False
    """Whether a Plan may act with the operator's own rights."""
    cross_namespace: bool = False
    """Whether `dependsOn` may look into other namespaces."""

    @classmethod
    def parse(cls, rules: Iterable[str], **others: object) -> Access:
        """Rules are `NAMESPACE=PLAN[,PLAN...]`. Raises ValueError that names the rule and the form."""
        pairs: list[tuple[str, str]] = []
        for rule in rules:
            namespace, equals, plans = rule.partition("=")
            names = [name.strip() for name in plans.split(",")]
            if not equals or not namespace.strip() or not all(names):
                raise ValueError(f"{rule!r} must be NAMESPACE=PLAN[,PLAN...], for example 'team-a=manifests,db-*'")
            pairs += [(namespace.strip(), name) for name in names]
        return cls(tuple(pairs), **others)  # type: ignore[arg-type]  # the fields above

    def account(self, spec: PlanSpec) -> str | None:
        return spec.service_account_name or self.default_service_account

    def refusal(self, namespace: str, spec: PlanSpec) -> str | None:
        """Why this Plan is not let in; None when it is."""
        if self.allowed and not self._may_use(namespace, spec.plan):
            return f"the plan {spec.plan!r} is not allowed in the namespace {namespace!r}"
        if self.require_service_account and self.account(spec) is None:
            return "spec.serviceAccountName is missing: this operator lets no Plan act with its own rights"
        if not self.cross_namespace:
            for index, reference in enumerate(spec.depends_on):
                if reference.namespace not in {None, namespace}:
                    return (
                        f"spec.dependsOn[{index}].namespace: this operator lets Plans depend on objects of their own"
                        " namespace only"
                    )
        return None

    def _may_use(self, namespace: str, plan: str) -> bool:
        return any(fnmatchcase(namespace, place) and fnmatchcase(plan, name) for place, name in self.allowed)
