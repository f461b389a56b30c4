"""The operator that Kopf's tutorial teaches: handlers for creation, update and restart, and a status in the patch.

python -m kopf run kopf_handlers.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kopf

PLANS = ("execloop.dev", "v1alpha1", "plans")


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False


@kopf.on.create(*PLANS)
@kopf.on.update(*PLANS)
@kopf.on.resume(*PLANS)
async def reconcile(spec: kopf.Spec, meta: kopf.Meta, patch: kopf.Patch, **_: Any) -> None:
    for _task in range(spec["parameters"]["count"]):
        pass
    patch.status["observedGeneration"] = meta["generation"]
    patch.status["conditions"] = [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Converged",
            "message": "no tasks remain",
            "lastTransitionTime": datetime.now(UTC).isoformat(),
        }
    ]
