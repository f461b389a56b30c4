"""What an approval is of: the digest that a person approves, and which later runs it covers."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MOST_NAMES", "covered", "digest", "hashes"]

MOST_NAMES: Final = 2_000
"""More names than this are not remembered: 8 characters each are what the status has room for."""

_WIDTH = 8


def digest(uid: str, execution_id: str, inputs: str, code_version: str, names: Sequence[str]) -> str:
    """Of the pending tasks, by name and in order, on one Plan, in one execution, of these inputs and this code.

    So it approves nothing else: another Plan, execution, change or piece of work has another digest.
    """
    text = json.dumps([uid, execution_id, inputs, code_version, list(names)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def hashes(names: Iterable[str], approved: str) -> str:
    """The names that were approved, as the status keeps them: sorted, each once. Empty when there are too many.

    They are salted with the digest that was approved, so that nothing can be found in advance that fits.
    """
    kept = sorted({_hash(name, approved) for name in names})
    return "".join(kept) if len(kept) <= MOST_NAMES else ""


def covered(names: Iterable[str], kept: str, approved: str) -> bool:
    """Whether these tasks are all among those approved.

    Where there were too many to keep (`kept` is empty) nothing is: an approval then goes by its digest alone.
    """
    known = {kept[start : start + _WIDTH] for start in range(0, len(kept), _WIDTH)}
    return all(_hash(name, approved) in known for name in names)


def _hash(name: str, salt: str) -> str:
    data = json.dumps([salt, name]).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest())[:_WIDTH].decode()
