from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.kube import PLAN_UID_LABEL, Owner, field_manager

namespaces = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
names = st.text("abc019-.", min_size=1, max_size=253)
plans = st.tuples(namespaces, names)


@given(plans)
def test_a_field_manager_has_at_most_128_characters(plan: tuple[str, str]) -> None:
    assert len(field_manager(*plan)) <= 128


@given(plans, plans)
def test_different_plans_have_different_field_managers(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (field_manager(*one) == field_manager(*other)) == (one == other)


@given(namespaces, st.text("ab", min_size=120, max_size=253), st.text("ab", min_size=120, max_size=253))
def test_long_names_that_begin_alike_have_different_field_managers(namespace: str, one: str, other: str) -> None:
    assert (field_manager(namespace, one) == field_manager(namespace, other)) == (one == other)


def test_a_field_manager_that_fits_says_namespace_and_name() -> None:
    assert field_manager("default", "web") == "execloop/default/web"


def live(uid: str | None, *managers: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{PLAN_UID_LABEL}": {}}}}
    labels = {} if uid is None else {PLAN_UID_LABEL: uid}
    return {
        "metadata": {
            "labels": labels,
            "managedFields": [{"manager": "kubectl"}, *({"manager": m, "fieldsV1": fields} for m in managers)],
        }
    }


@pytest.mark.parametrize(
    ("why", "state", "rival"),
    [
        ("nobody's", live(None), None),
        ("our own", live("ours", "execloop/default/web"), None),
        ("another Plan's", live("theirs", "execloop/other/db"), "other/db"),
        ("our own, before we were deleted and made again", live("before", "execloop/default/web"), None),
        ("labelled by hand", live("theirs", "kubectl-label"), None),
        ("handed over: the label was removed", live(None, "execloop/other/db"), None),
    ],
)
def test_an_object_belongs_to_the_plan_that_labelled_it(why: str, state: dict[str, Any], rival: str | None) -> None:
    assert Owner.plan("default", "web", "ours").rival(state) == rival, why


def test_who_is_no_plan_has_a_rival_in_every_plan() -> None:
    assert Owner().rival(live("theirs", "execloop/other/db")) == "other/db"


def test_marking_leaves_the_original_alone() -> None:
    wanted = {"metadata": {"name": "x", "labels": {"app": "web"}}}
    marked = Owner.plan("default", "web", "ours").mark(wanted)
    assert marked["metadata"]["labels"] == {"app": "web", PLAN_UID_LABEL: "ours"}
    assert wanted == {"metadata": {"name": "x", "labels": {"app": "web"}}}


def test_who_is_no_plan_marks_nothing() -> None:
    assert Owner().mark({"metadata": {"name": "x"}}) == {"metadata": {"name": "x"}}
