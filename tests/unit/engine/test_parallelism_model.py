"""Several tasks at one moment: every schedule against a model, and every interleaving against the rules."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine_schedule import Job, interleave, options, perform_all, simulate

shapes = st.recursive(st.just(()), lambda children: st.lists(children, min_size=1, max_size=3).map(tuple), max_leaves=6)
TICK = 2.0**-20


@st.composite
def forests(draw: st.DrawFn) -> tuple[Job, ...]:
    shape = draw(st.lists(shapes, min_size=1, max_size=4))

    def size(node: Any) -> int:
        return 1 + sum(map(size, node))

    # Different powers of two: no two tasks ever end at one moment, so there is one right order.
    seconds = iter(draw(st.permutations([TICK * 2**power for power in range(sum(map(size, shape)))])))
    errors = st.sampled_from([None, None, None, None, "plain", "fatal"])

    def job(node: Any) -> Job:
        return Job(next(seconds), tuple(map(job, node)), draw(errors))

    return tuple(map(job, shape))


@settings(max_examples=300, deadline=None)
@given(
    forests(),
    st.integers(1, 6),
    st.one_of(st.none(), st.integers(0, 3)),
    st.one_of(st.none(), st.integers(0, 16).map(lambda power: TICK * (2**power + 0.5))),
)
def test_every_task_starts_and_ends_when_the_model_says(
    jobs: tuple[Job, ...], parallelism: int, tolerated: int | None, timeout: float | None
) -> None:
    chosen = options(parallelism, tolerated=tolerated, timeout=timeout)
    schedule, _, _ = perform_all(jobs, chosen)
    assert schedule == simulate(jobs, chosen)


@settings(max_examples=100, deadline=None)
@given(forests(), st.integers(1, 6))
def test_no_more_than_n_at_a_time_and_never_fewer_while_some_wait(jobs: tuple[Job, ...], parallelism: int) -> None:
    schedule, _, _ = perform_all(tuple(Job(job.seconds) for job in jobs), options(parallelism))
    running = Counter({"now": 0})
    for _, what, _ in schedule.log:
        running["now"] += 1 if what == "start" else -1
        assert running["now"] <= parallelism
    assert list(schedule.started().values())[:parallelism] == [0.0] * min(parallelism, len(jobs))


# -- every interleaving of what may happen at one moment

hops = st.integers(0, 3).map(float)
small_jobs = st.recursive(
    st.builds(Job, hops, st.just(()), st.sampled_from([None, None, None, "plain", "fatal"])),
    lambda children: st.builds(Job, hops, st.lists(children, max_size=3).map(tuple)),
    max_leaves=8,
)


def flatten(jobs: tuple[Job, ...], above: str = "") -> Iterator[tuple[str, Job]]:
    for number, job in enumerate(jobs):
        yield f"{above}{number}", job
        yield from flatten(job.children, f"{above}{number}.")


@settings(max_examples=400, deadline=None)
@given(
    st.lists(small_jobs, min_size=1, max_size=4).map(tuple),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(0, 3)),
    st.integers(0, 2**32).map(random.Random),
)
def test_whatever_the_interleaving_the_rules_hold(
    jobs: tuple[Job, ...], parallelism: int, tolerated: int | None, order: random.Random
) -> None:
    chosen = options(parallelism, tolerated=tolerated)
    log, one = interleave(jobs, chosen, order)
    running: set[str] = set()
    ended: set[str] = set()
    errors, over = 0, False
    for what, place in log:
        if what == "start":
            assert not over, "nothing starts after the end"
            assert place not in running | ended, "no task runs twice"
            assert "." not in place or place.rpartition(".")[0] in ended, "a parent ends before its children start"
            running.add(place)
            assert len(running) <= parallelism
        else:
            running.remove(place)
            ended.add(place)
            errors += what != "end"
            over = over or what == "fatal" or not chosen.tolerates(errors)
    assert not running, "what runs is awaited"
    assert one.walk is not None
    assert (one.walk.count, one.walk.errors) == (len(ended), errors)
    if not over:
        failed = {place for place, job in flatten(jobs) if job.error}
        assert ended == {place for place, _ in flatten(jobs) if not any(place.startswith(f"{f}.") for f in failed)}
