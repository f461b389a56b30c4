"""Build the admission policy by which only those name a Secret in a Plan who may read it; `release.crds` writes it.

Without it a Plan's work and its messages give away what RBAC hides from the Plan's author.
"""

from typing import Any, Final

from execloop.controller.api.v1alpha1 import GROUP, MOST_SOURCES, PLURAL

__all__ = ["SECRETS_POLICY", "secrets_policy"]

SECRETS_POLICY: Final = f"{PLURAL}.{GROUP}-secrets"
"""Name of the policy, and of its binding."""

_API: Final = "admissionregistration.k8s.io/v1"
# A write that leaves alone what is done with a Secret (status, finalizers, annotations, interval) asks for nothing new.
_USE_CHANGES: Final = " || ".join(
    [
        "oldObject == null",
        "object.spec.plan != oldObject.spec.plan",
        *(
            f"object.spec.?{field} != oldObject.spec.?{field}"
            for field in ("parameters", "parametersFrom", "serviceAccountName")
        ),
    ]
)
_NAMES_ONE: Final = "has(object.spec.parametersFrom) && object.spec.parametersFrom.exists(p, p.kind == 'Secret')"


def secrets_policy() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the policy and its binding."""
    rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [PLURAL]}
    policy = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": SECRETS_POLICY},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {"name": "use-changes", "expression": _USE_CHANGES},
                {"name": "names-a-secret", "expression": _NAMES_ONE},
            ],
            "validations": [_is_short_enough(), *map(_may_get, range(MOST_SOURCES))],
        },
    }
    binding = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": SECRETS_POLICY},
        "spec": {"policyName": SECRETS_POLICY, "validationActions": ["Deny"]},
    }
    return policy, binding


def _is_short_enough() -> dict[str, str]:
    return {
        "expression": f"size(object.spec.parametersFrom) <= {MOST_SOURCES}",
        "message": f"spec.parametersFrom: at most {MOST_SOURCES} sources",
        "reason": "Invalid",
    }


def _may_get(index: int) -> dict[str, str]:
    """One rule for each source: one question to the authorizer costs a third of what one expression may cost."""
    source = f"object.spec.parametersFrom[{index}]"
    name = f"{source}.name"
    return {
        "expression": f"size(object.spec.parametersFrom) <= {index} || {source}.kind != 'Secret' ||"
        f" authorizer.group('').resource('secrets').namespace(request.namespace).name({name}).check('get').allowed()",
        "messageExpression": f"'spec.parametersFrom[{index}]: user ' + request.userInfo.username"
        f" + ' may not get the Secret ' + {name}",
        "reason": "Forbidden",
    }
