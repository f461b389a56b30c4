"""Compute the fingerprint of an execution's inputs: another fingerprint means another execution.

`reconcile.inputs` calls it for the validated spec and the resolved parameters.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.controller.api.v1alpha1 import PlanSpec
    from execloop.controller.parameters.merge import Version

__all__ = ["fingerprint", "run_fingerprint"]

# They say when and how long, not what is to be done.
_NO_INPUT = {"suspend", "interval", "history_limit", "ttl_after_finished", "deletion_policy"}


def fingerprint(spec: PlanSpec, code_version: str, sources: Sequence[Version] = ()) -> str:
    """Stable across processes, over the order of keys, and when a later version has more fields.

    Of `sources` it takes the versions, never the content.
    """
    content = spec.model_dump(mode="json", by_alias=True, exclude=_NO_INPUT, exclude_defaults=True)
    if sources:
        content["sources"] = [list(version) for version in sources]
    if spec.mode != "Once":  # what converged once stays done when the code moves on
        content["codeVersion"] = code_version
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_fingerprint(inputs: str, code_version: str, requested_at: str | None) -> str:
    """Return what crashes are counted for: all that may change how a run ends, in every mode."""
    text = json.dumps([inputs, code_version, requested_at])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
