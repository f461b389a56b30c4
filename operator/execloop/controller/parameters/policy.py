"""Whether the API server lets only users who may read a Secret name it in a Plan.

`ParameterSources` asks before it reads a Secret with the operator's own rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from execloop.controller.api.secrets_policy import SECRETS_POLICY
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.kube import Kube

__all__ = ["SecretsPolicy"]

_REGISTRATION: Final = "/apis/admissionregistration.k8s.io/v1"
_POLICY: Final = f"{_REGISTRATION}/validatingadmissionpolicies/{SECRETS_POLICY}"
_BINDING: Final = f"{_REGISTRATION}/validatingadmissionpolicybindings/{SECRETS_POLICY}"
_IN_FORCE, _NOT_IN_FORCE = 300.0, 30.0


class SecretsPolicy:
    """Looks at most every 5 minutes, every 30 seconds while it is not in force, and only when asked.

    `trusted`: an administrator says that it is in force, so that the operator needs no right to look.
    """

    def __init__(self, kube: Kube, monotonic: Callable[[], float], *, trusted: bool = False) -> None:
        self._kube, self._monotonic, self._trusted = kube, monotonic, trusted
        self._known, self._until = False, 0.0

    async def in_force(self) -> bool:
        """Raises ApiError when nothing is known and the API server does not answer."""
        now = self._monotonic()
        if self._until <= now:
            try:
                self._known = await self._look()
            except ApiError:
                if not self._known:
                    raise
            self._until = now + (_IN_FORCE if self._known else _NOT_IN_FORCE)
        return self._known

    async def _look(self) -> bool:
        try:
            await self._kube.request("GET", _POLICY)
            return _denies_everywhere(await self._kube.request("GET", _BINDING))
        except ApiError as error:
            if error.forbidden:
                return self._trusted
            if error.not_found:
                return False
            raise


def _denies_everywhere(binding: dict[str, Any]) -> bool:
    """A binding that was narrowed, or only warns, protects no namespace for certain."""
    spec = binding.get("spec") or {}
    narrowed = spec.get("matchResources") or {}
    selects = any(narrowed.get(field) for field in ("namespaceSelector", "objectSelector", "excludeResourceRules"))
    denies = "Deny" in (spec.get("validationActions") or ())
    return spec.get("policyName") == SECRETS_POLICY and denies and not selects and not narrowed.get("resourceRules")
