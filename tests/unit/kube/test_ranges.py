"""The Plans divided by their uids, and the names of the Leases that stand for the ranges."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.kube.lease.ranges import Range, fnv1a, range_of, shard_selector

BASES = st.sampled_from(["execloop", "execloop-2-1", "a", "a-3"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)],
)
def test_the_hash_is_fnv_1a_of_64_bits(text: str, expected: int) -> None:
    assert fnv1a(text) == expected


@given(st.uuids(), st.integers(1, 300))
def test_every_uid_is_in_one_range(uid: UUID, of: int) -> None:
    index = range_of(str(uid), of)
    assert index * 2**64 <= fnv1a(str(uid)) * of < (index + 1) * 2**64
    assert 0 <= index < of


def test_ranges_are_about_equal() -> None:
    counts = [0] * 4
    for number in range(4000):
        counts[range_of(str(UUID(int=number * 2**90 + 7)), 4)] += 1
    assert all(800 < count < 1200 for count in counts)


@given(BASES, st.integers(1, 300).flatmap(lambda of: st.builds(Range, st.integers(0, of - 1), st.just(of))))
def test_a_lease_tells_its_range(base: str, one: Range) -> None:
    assert Range.parse(one.lease(base), base) == one


@pytest.mark.parametrize(
    "name", ["other", "execloop-4-4", "execloop-1-0", "execloop-member-0a", "execloop-4-1-x", "exec"]
)
def test_other_leases_stand_for_no_range(name: str) -> None:
    assert Range.parse(name, "execloop") is None


def selects(selector: str, uid: str) -> bool:
    """Whether the API server sends an object of this uid: the end of a range is exclusive."""
    bounds = re.findall(r"'(0x[0-9a-f]+)', '(0x[0-9a-f]+)'", selector)
    return any(int(first, 16) <= fnv1a(uid) < int(end, 16) for first, end in bounds)


@given(st.uuids(), st.integers(1, 16).flatmap(lambda of: st.tuples(st.just(of), st.sets(st.integers(0, of - 1)))))
def test_the_api_server_sends_what_is_in_the_ranges_and_nothing_else(uid: UUID, some: tuple[int, set[int]]) -> None:
    of, indexes = some
    assert selects(shard_selector(indexes, of), str(uid)) == (range_of(str(uid), of) in indexes)


@given(st.uuids(), st.sets(st.integers(0, 255), min_size=1))
def test_of_many_ranges_it_sends_at_least_what_is_in_them(uid: UUID, indexes: set[int]) -> None:
    selector = shard_selector(indexes, 256)
    assert len(selector) < 2000
    assert selects(selector, str(uid)) or range_of(str(uid), 256) not in indexes


def test_neighbours_are_one_term() -> None:
    assert shard_selector([2, 0, 1], 4) == "shardRange(object.metadata.uid, '0x0000000000000000', '0xc000000000000000')"
    assert shard_selector([0, 2], 4).count("||") == 1
    assert shard_selector([], 4) == ""
