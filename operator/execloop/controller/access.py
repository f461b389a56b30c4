"""What an administrator lets Plans do: which plans a namespace may use, and which account they act as.

`validation` asks it for each spec; the command makes it from options.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from execloop._plans.limits import Limits
from execloop.kube.objects.reach import Reach

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
    require_service_account_for: tuple[str, ...] = ()
    """Plans, in whose names `*` is any text, that may not act with the operator's own rights."""
    manifests_namespaces: tuple[str, ...] = ()
    """What built-in plans without a service account may touch besides the objects of the Plan's namespace: other
    namespaces, in which `*` is any text, and kinds without a namespace.
    """

    limits: Limits = field(default_factory=Limits)
    """What built-in plans may reach besides the cluster: folders and internal addresses."""

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

    def reach(self, namespace: str, spec: PlanSpec) -> Reach | None:
        """What a built-in plan may touch; None where a service account's rights decide."""
        return Reach(namespace, self.manifests_namespaces) if self.account(spec) is None else None

    def refusal(self, namespace: str, spec: PlanSpec, *, applied: bool = False) -> str | None:
        """Return why this Plan is refused; None when it is not. `applied`: it ran before, and only undoes that."""
        if self.allowed and not self._may_use(namespace, spec.plan):
            return f"the plan {spec.plan!r} is not allowed in the namespace {namespace!r}"
        if not applied and self.account(spec) is None:
            if self.require_service_account:
                return "spec.serviceAccountName is missing: this operator requires one (--require-service-account)"
            if any(fnmatchcase(spec.plan, name) for name in self.require_service_account_for):
                return (
                    f"spec.serviceAccountName is missing: this operator requires one for the plan {spec.plan!r}"
                    " (--require-service-account-for)"
                )
        if not self.cross_namespace:
            for index, reference in enumerate(spec.depends_on):
                if reference.namespace not in {None, namespace}:
                    return (
                        f"spec.dependsOn[{index}].namespace: this operator allows objects of the Plan's namespace only"
                        " (--cross-namespace-dependencies allows others)"
                    )
        return None

    def _may_use(self, namespace: str, plan: str) -> bool:
        return any(fnmatchcase(namespace, place) and fnmatchcase(plan, name) for place, name in self.allowed)
