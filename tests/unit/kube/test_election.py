"""Who may hold a Lease, and until when."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from execloop.kube.lease.election import Candidate, Claim, LeaseTimes
from tests.election_model import Step, World

TERMS = LeaseTimes()


def candidate() -> Candidate:
    return Candidate("me", TERMS)


def theirs(renewed: str = "1", duration: float = 15.0) -> Claim:
    return Claim("them", duration, renewed, 3)


class TestTaking:
    @pytest.mark.parametrize("claim", [None, Claim("", 1.0, "1", 3), Claim("me", 15.0, "1", 3)])
    def test_what_nobody_else_holds_may_be_taken_at_once(self, claim: Claim | None) -> None:
        me = candidate()
        me.see(claim, now=100)
        assert me.wait(now=100) == 0

    def test_what_another_holds_is_left_alone_for_its_duration_from_when_it_was_seen(self) -> None:
        me = candidate()
        me.see(theirs(), now=100)
        assert [me.wait(now) for now in (100, 114, 115, 200)] == [15, 1, 0, 0]

    def test_the_holders_own_duration_counts(self) -> None:
        me = candidate()
        me.see(theirs(duration=60), now=100)
        assert me.wait(now=100) == 60

    def test_each_renewal_begins_the_wait_again(self) -> None:
        me = candidate()
        me.see(theirs("1"), now=100)
        me.see(theirs("2"), now=110)
        assert me.wait(now=110) == 15

    def test_to_see_the_same_again_does_not(self) -> None:
        me = candidate()
        me.see(theirs(), now=100)
        me.see(theirs(), now=110)
        assert me.wait(now=110) == 5

    def test_a_time_written_by_another_clock_means_nothing(self) -> None:
        me = candidate()
        me.see(theirs("1970-01-01T00:00:00.000000Z"), now=100)
        assert me.wait(now=100) == 15


class TestHolding:
    def test_it_lasts_for_the_deadline_from_when_the_write_was_sent(self) -> None:
        me = candidate()
        me.wrote(me.claim("1"), sent=100)
        assert [me.left(now) for now in (100, 108, 110)] == [10, 2, 0]

    def test_an_older_renewal_that_is_answered_is_no_longer_one(self) -> None:
        me = candidate()
        me.wrote(me.claim("1"), sent=100)
        me.wrote(me.claim("2"), sent=104)
        assert me.left(now=104) == 10

    def test_it_is_lost_once_another_is_seen_to_hold_it(self) -> None:
        me = candidate()
        me.wrote(me.claim("1"), sent=100)
        me.see(theirs(), now=101)
        assert me.left(now=101) < 0

    def test_it_goes_on_when_the_lease_was_deleted_or_emptied_by_hand(self) -> None:
        me = candidate()
        me.wrote(me.claim("1"), sent=100)
        for claim in (None, Claim("", 1.0, "x", 3)):
            me.see(claim, now=101)
            assert (me.left(now=101), me.wait(now=101)) == (9, 0)

    def test_it_ends_when_the_release_is_about_to_be_sent(self) -> None:
        me = candidate()
        me.wrote(me.claim("1"), sent=100)
        assert me.release("2").holder == ""
        assert me.left(now=100) < 0


class TestTransitions:
    @pytest.mark.parametrize(
        ("seen", "transitions"),
        [(None, 0), (Claim("me", 15.0, "1", 3), 3), (theirs(), 4), (Claim("", 1.0, "1", 3), 4)],
    )
    def test_each_change_of_holder_is_counted(self, seen: Claim | None, transitions: int) -> None:
        me = candidate()
        me.see(seen, now=0)
        assert me.claim("2") == Claim("me", 15.0, "2", transitions)


class TestTerms:
    def test_one_number_sets_the_others_in_proportion(self) -> None:
        assert LeaseTimes.lasting(15) == LeaseTimes()
        assert LeaseTimes.lasting(30) == LeaseTimes(30, 20, 4)

    @pytest.mark.parametrize("times", [(10, 10, 2), (15, 2, 2), (15, 10, 0), (15.5, 10, 2)])
    def test_those_that_are_not_safe_are_refused(self, times: tuple[float, float, float]) -> None:
        with pytest.raises(ValueError, match="duration > deadline > retry > 0"):
            LeaseTimes(*times)


# --- never two at once

SECONDS = st.floats(0, 1) | st.floats(0, 30)
STEP = st.builds(
    Step,
    patient=st.booleans(),
    idle=SECONDS,
    there=SECONDS,
    back=SECONDS,
    lost=st.sampled_from([False, False, False, True]),
    lets_go=st.sampled_from([False, False, False, True]),
)
STEPS = st.lists(STEP, min_size=1, max_size=8)
# The slowest clock and the fastest differ by less than duration / deadline.
RATES = st.lists(st.floats(0.82, 1.22), min_size=3, max_size=3)


@settings(max_examples=200, deadline=None)
@given(rates=RATES, steps=st.lists(STEPS, min_size=3, max_size=3))
def test_two_never_believe_to_hold_it_at_once(rates: list[float], steps: list[list[Step]]) -> None:
    """Whatever is delayed, lost, or done in whatever order."""
    world = World(TERMS, rates, steps)
    for believers in world.run():
        assert len(believers) <= 1
    event(f"taken or renewed: {min(world.taken, 5)}")


def test_clocks_that_differ_by_more_than_the_bound_break_it() -> None:
    """So the bound is the one that is documented, and the model would notice."""

    def step(idle: float) -> Step:
        return Step(patient=False, idle=idle, there=0, back=0, lost=False, lets_go=False)

    slow_holder = [step(0)]
    fast_rival = [step(0.1), step(0), step(7.6), step(0)]
    assert max(len(believers) for believers in World(TERMS, (1, 2), (slow_holder, fast_rival)).run()) == 2
