"""Which Plans a list shows: what its address says, applied to summaries. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from execloop.page.plans.summary import BY_ATTENTION, Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from execloop.page.access.rights import Visible

__all__ = ["PAGE", "Found", "Selection"]

PAGE: Final = 50
"""Plans on one page of the list."""
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """The query of the list's address. Empty: no such filter."""

    namespace: str = ""
    state: str = ""
    plan: str = ""
    text: str = ""
    by_name: bool = False
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Selection:
        """Read a query; what makes no sense counts as left out."""
        state, page = query.get("state", ""), query.get("page", "1")
        return cls(
            query.get("namespace", ""),
            state if state in BY_ATTENTION else "",
            query.get("plan", ""),
            query.get("q", "")[:_LONGEST_TEXT].strip(),
            query.get("sort") == "name",
            int(page) if page.isdecimal() and 0 < len(page) <= 6 and int(page) else 1,  # noqa: PLR2004 - digits of a page
        )

    def query(self, **changes: object) -> str:
        """Return the query of this selection with changes, the page left out unless given; it begins with `?`."""
        other = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]  # our own fields
        parts = {
            "namespace": other.namespace,
            "state": other.state,
            "plan": other.plan,
            "q": other.text,
            "sort": "name" if other.by_name else "",
            "page": str(other.page) if other.page > 1 else "",
        }
        return f"?{urlencode({name: value for name, value in parts.items() if value})}"

    def find(self, ordered: Iterable[Summary], visible: Visible) -> Found:
        """Return one page of what a person may see, in the order given, with counts."""
        seen = [one for one in ordered if one.namespace in visible]
        namespaces = Counter(one.namespace for one in seen)
        plans = Counter(one.plan for one in seen)
        text = self.text.lower()
        filtered = [
            one
            for one in seen
            if (not self.namespace or one.namespace == self.namespace)
            and (not self.plan or one.plan == self.plan)
            and (not text or text in one.text)
        ]
        states = Counter(one.state for one in filtered)
        chosen = [one for one in filtered if one.state == self.state] if self.state else filtered
        pages = max(1, -(-len(chosen) // PAGE))
        page = min(self.page, pages)
        rows = chosen[(page - 1) * PAGE : page * PAGE]
        counts = [(name, states[name]) for name in BY_ATTENTION if states[name] or name == self.state]
        return Found(
            rows, len(chosen), len(filtered), len(seen), page, pages, counts, sorted(namespaces), sorted(plans)
        )


@dataclass(frozen=True, slots=True)
class Found:
    rows: list[Summary]
    total: int
    """Plans of the selection, on all of its pages."""
    of_any_state: int
    """The same without the filter by state."""
    visible: int
    """Plans that the person may see."""
    page: int
    pages: int
    states: list[tuple[str, int]]
    namespaces: list[str]
    plans: list[str]

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1 if self.total else 0

    @property
    def last(self) -> int:
        return (self.page - 1) * PAGE + len(self.rows)
