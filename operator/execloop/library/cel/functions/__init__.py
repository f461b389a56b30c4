"""Functions that Kubernetes has and CEL itself does not: quantities, versions, addresses, URLs, lists."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from execloop.library.cel.functions import comparing, lists, networks, quantities, urls, versions

if TYPE_CHECKING:
    from execloop.library.cel.functions.declaration import Function

__all__ = ["NAMES", "OF_LISTS", "declarations"]

_EVERY: Final[tuple[Function, ...]] = (
    *quantities.FUNCTIONS,
    *versions.FUNCTIONS,
    *comparing.FUNCTIONS,
    *networks.FUNCTIONS,
    *urls.FUNCTIONS,
    *lists.FUNCTIONS,
)
NAMES: Final = frozenset(each.name for each in _EVERY)
OF_LISTS: Final = frozenset(each.name for each in _EVERY if each.listed)


def declarations(cel: Any) -> list[Any]:
    """Return the functions as the library takes them; `cel` is its module."""
    overloads: dict[str, list[Any]] = defaultdict(list)
    for each in _EVERY:
        types = [getattr(cel.Type, name) for name in each.parameters]
        place = f"execloop_{each.name.replace('.', '_')}_{'_'.join(each.parameters)}_{each.member}".lower()
        result = getattr(cel.Type, each.result)
        overloads[each.name].append(cel.Overload(place, result, types, each.member, each.call))
    return [cel.FunctionDecl(name, found) for name, found in overloads.items()]
