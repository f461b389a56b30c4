"""Which ranges a replica takes and gives up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.kube.lease.share import Sight, to_give, to_take


def sight(ranges: int, holders: dict[int, str], *members: str, others: str = "") -> Sight:
    return Sight(ranges, holders, frozenset(members), others)


@pytest.mark.parametrize(
    ("seen", "taken"),
    [
        (sight(4, {}, "me"), [0, 1, 2, 3]),
        (sight(4, {}, "me", "you"), [0, 1]),
        (sight(3, {}, "me", "you"), [0, 1]),
        (sight(4, {0: "you", 1: "you"}, "me", "you"), [2, 3]),
        (sight(4, {0: "me", 1: "me", 2: "you"}, "me", "you"), []),
        (sight(1, {0: "you"}, "me", "you"), []),
        (sight(2, {}, "me", "you", "they"), [0]),
        (sight(4, {}, "me", others="execloop-2-0"), []),
    ],
)
def test_it_takes_its_share_of_what_is_free(seen: Sight, taken: list[int]) -> None:
    assert to_take(seen, "me") == taken


@pytest.mark.parametrize(
    ("seen", "given_up"),
    [
        (sight(2, {0: "me", 1: "me"}, "me"), None),
        (sight(2, {0: "me", 1: "me"}, "me", "you"), 1),
        (sight(3, {0: "me", 1: "me", 2: "you"}, "me", "you"), None),
        (sight(4, {0: "me", 1: "me", 2: "you", 3: "you"}, "me", "you", "they"), 1),
        (sight(4, {0: "me", 1: "me", 2: "you"}, "me", "you", "they"), None),
        (sight(2, {0: "me", 1: "you"}, "me", "you", "they"), None),
    ],
)
def test_it_gives_up_what_another_lacks(seen: Sight, given_up: int | None) -> None:
    assert to_give(seen, "me") == given_up


@given(st.integers(1, 12), st.integers(1, 6), st.data())
def test_whatever_the_start_and_the_order_every_range_finds_an_owner_and_shares_become_fair(
    ranges: int, replicas: int, data: st.DataObject
) -> None:
    names = [f"replica-{number}" for number in range(replicas)]
    owner = st.sampled_from([None, *names])
    drawn = data.draw(st.lists(owner, min_size=ranges, max_size=ranges))
    holders = {index: name for index, name in enumerate(drawn) if name is not None}
    for _ in range(4 * ranges + 4):
        for name in data.draw(st.permutations(names)):
            seen = Sight(ranges, dict(holders), frozenset(names))
            for index in to_take(seen, name):
                holders.setdefault(index, name)
            if (given_up := to_give(seen, name)) is not None:
                del holders[given_up]
    counts = sorted(list(holders.values()).count(name) for name in names)
    assert len(holders) == ranges
    assert counts[-1] - counts[0] <= 1


@given(st.integers(1, 12), st.data())
def test_a_fair_division_stays_as_it_is(ranges: int, data: st.DataObject) -> None:
    names = [f"replica-{number}" for number in range(data.draw(st.integers(1, 6)))]
    seen = Sight(ranges, {index: names[index % len(names)] for index in range(ranges)}, frozenset(names))
    assert [(to_take(seen, name), to_give(seen, name)) for name in names] == [([], None)] * len(names)
