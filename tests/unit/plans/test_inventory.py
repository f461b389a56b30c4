"""`context.inventory`: what a plan made, by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop._engine.errors import FatalError
from execloop._plans.entry import apart, together
from execloop._plans.inventory import MOST_BYTES, Inventory

names = st.text(st.characters(codec="utf-8", exclude_characters="/", exclude_categories=["Z", "C"]), min_size=1)
entries = st.builds("ConfigMap/{}/{}".format, names, names)


@given(st.sets(entries), st.sets(entries))
def test_it_is_a_set_of_names_in_order(first: set[str], second: set[str]) -> None:
    inventory = Inventory(first)
    inventory.update(second)
    assert set(inventory) == first | second
    assert list(inventory) == sorted(first | second)
    for entry in first:
        inventory.discard(entry)
    assert inventory.snapshot() == tuple(sorted(second - first))


@pytest.mark.parametrize("entry", ["", "ConfigMap", "ConfigMap/a", "/a/b", "ConfigMap/a/b/c", "ConfigMap/a/"])
def test_an_entry_that_names_no_object_is_refused(entry: str) -> None:
    with pytest.raises(FatalError, match=r"kind\.group/namespace/name"):
        Inventory().add(entry)


def test_an_object_without_a_namespace_has_an_empty_one() -> None:
    inventory = Inventory()
    inventory.add("ClusterRole.rbac.authorization.k8s.io//system:reader")
    assert len(inventory) == 1


def test_more_than_32_kib_are_refused_at_once_and_nothing_of_them_is_taken() -> None:
    inventory = Inventory(["ConfigMap/a/first"])
    with pytest.raises(FatalError, match=r"3001 objects .* at most 32768 .* several Plans"):
        inventory.update(f"ConfigMap/some-namespace/object-{number}" for number in range(3000))
    assert list(inventory) == ["ConfigMap/a/first"]


@pytest.mark.parametrize("entry", ["ConfigMap/a/c-{:04}", "ConfigMap/a{}/c", 'web:ConfigMap/ä"/c-{}'])
def test_as_many_as_fit_are_32_kib_in_the_status(entry: str) -> None:
    inventory = Inventory()
    number = 0
    with pytest.raises(FatalError):
        while number := number + 1:
            inventory.add(entry.format(number))
    stored = len(json.dumps(inventory.stored(), separators=(",", ":"), ensure_ascii=False).encode())
    assert MOST_BYTES - 30 < stored <= MOST_BYTES + 1


@given(st.sets(entries))
def test_what_is_stored_is_read_again(found: set[str]) -> None:
    assert set(Inventory(together(found))) == found
    assert set(apart(Inventory(found).stored())) == found


def test_names_stand_one_by_one_while_they_have_room() -> None:
    few = [f"ConfigMap/some-namespace/object-{number}" for number in range(700)]
    many = [f"ConfigMap/some-namespace/object-{number}" for number in range(2000)]
    assert Inventory(few).stored() == tuple(sorted(few))
    (one,) = Inventory(many).stored()
    assert one.startswith("ConfigMap/some-namespace/object-0/object-1/object-10/")


def test_a_thousand_objects_of_five_kinds_with_ordinary_names_fit() -> None:
    inventory = Inventory()
    for kind in ("ConfigMap", "Service", "ServiceAccount", "Deployment.apps", "Ingress.networking.k8s.io"):
        for name in range(200):
            inventory.add(f"shop:{kind}/shop-production/recommendations-{name}")
    assert len(inventory) == 1000


def test_what_another_hand_wrote_is_kept_as_it_is() -> None:
    assert set(Inventory(["x", "a/b"])) == {"x", "a/b"}


def test_what_it_held_before_may_be_discarded_however_large_it_is() -> None:
    inventory = Inventory(f"ConfigMap/some-namespace/object-{number}" for number in range(2000))
    inventory.update(["ConfigMap/some-namespace/object-1"])
    inventory.discard("ConfigMap/some-namespace/object-1")
    assert len(inventory) == 1999


def test_a_name_with_a_value_of_a_secret_is_refused_without_the_value() -> None:
    inventory = Inventory(secret=lambda entry: "s3cret" in entry)
    with pytest.raises(FatalError, match="the name of a ConfigMap holds a value of a Secret") as refusal:
        inventory.add("ConfigMap/a/s3cret")
    assert "s3cret" not in str(refusal.value)
