"""Whatever the parameters of a built-in plan are, they are taken, or refused as parameters are."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop._engine.errors import InvalidParameters, UnknownPlan
from execloop._plans.context import Context
from execloop._plans.definition import Definition, definition_of
from execloop.library.http import Http
from execloop.library.includes.plan import Includes
from execloop.library.jobs.plan import Jobs
from execloop.library.manifests import Manifests
from execloop.library.sql import Sql
from execloop.library.steps.plan import Steps

TEXT = st.text(max_size=8) | st.sampled_from(
    [
        "https://a.example/${id}",
        "http://[",
        "postgresql://a@b/c",
        "host=b",
        "sqlite:////x",
        "select 1",
        "0s",
        "GET",
        "${{ values.x }}",
        "objects.a.b == 1",
        "Http",
        "Includes",
        "1 +",
        "\0",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PLANS: dict[str, Definition] = {
    kind.__name__: found
    for kind in (Http, Includes, Jobs, Manifests, Sql, Steps)
    if (found := definition_of(kind)) is not None
}


def _known(name: str) -> Definition:
    if name not in PLANS:
        raise UnknownPlan(f"there is no plan {name!r}")
    return PLANS[name]


def _fields(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the right names, and at times of the right types."""
    match schema:
        case {"$ref": reference}:
            return _fields(whole["$defs"][reference.rpartition("/")[2]], whole)
        case {"properties": properties}:
            named = {name: _fields(field, whole) for name, field in properties.items()}
            return st.fixed_dictionaries({}, optional=named) | JSON
        case {"anyOf": choices}:
            return st.one_of([_fields(choice, whole) for choice in choices])
        case {"type": "array", "items": items}:
            return st.lists(_fields(items, whole), max_size=3)
        case {"enum": choices}:
            return st.sampled_from(choices)
    return JSON


@pytest.mark.parametrize("name", PLANS)
def test_parameters_are_taken_or_refused(name: str) -> None:
    definition = PLANS[name]
    schema = definition.parameters.model_json_schema()

    @given(_fields(schema, schema).filter(lambda value: isinstance(value, dict)))
    def check(raw: dict[str, Any]) -> None:
        with suppress(InvalidParameters):
            definition.make(definition.parse(raw, plans=_known), Context("fuzzed"))

    check()
