"""JSON merge patches, as RFC 7386 applies them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.controller.status.patch import difference
from tests.merge_patch import merged

_leaves = st.sampled_from([0, "", "a", [], ["a", 1]])


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={"x": values, "y": values})


_documents = _objects(_leaves | _objects(_leaves | _objects(_leaves)))


@given(_documents, _documents)
def test_the_patch_turns_the_one_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, difference(before, after)) == after


@given(_documents)
def test_equal_documents_have_an_empty_patch(document: dict[str, Any]) -> None:
    assert difference(document, document) == {}


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"y": 3}}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": None}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"x": 1}}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
    ],
)
def test_it_holds_what_differs_and_no_more(before: Any, after: Any, patch: Any) -> None:
    assert difference(before, after) == patch
