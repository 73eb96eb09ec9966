from __future__ import annotations

import multiprocessing
import threading
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_sentry._sampling.limits import SLOTS, Reservoir, TokenBucket
from asgi_sentry._sampling.rate import Limit
from tests.strategies import Clock, arrivals

limits = st.builds(Limit, count=st.integers(1, 9), seconds=st.sampled_from([1.0, 10.0, 60.0]))
batched = st.builds(Limit, count=st.integers(SLOTS + 1, 3 * SLOTS), seconds=st.just(64.0))


@given(limits, arrivals)
@example(Limit(count=2, seconds=10.0), [0, 0, 10, 0, 0])
def test_bucket_never_gives_more_than_the_limit_in_any_window(limit: Limit, gaps: list[float]) -> None:
    clock = Clock()
    bucket = TokenBucket(limit, clock=clock)
    granted: list[float] = []
    for gap in gaps:
        clock.now += gap
        if bucket.take():
            granted.append(clock.now)
        else:
            # A refusal has its reason: the limit was used up in the period before.
            assert sum(clock.now - time < limit.seconds for time in granted) == limit.count
    # The fullest windows begin at a grant.
    for start in granted:
        assert sum(start <= time < start + limit.seconds for time in granted) <= limit.count


def windows_above(times: list[float], limit: Limit) -> list[float]:
    first, above = 0, []
    for last, time in enumerate(times):
        while time - times[first] >= limit.seconds:
            first += 1
        if last - first + 1 > limit.count:
            above.append(time)
    return above


@given(batched, st.integers(1, 50), st.integers(0, 3), st.randoms(use_true_random=False))
def test_large_buckets_obey_the_same_law(limit: Limit, burst: int, pause: int, random) -> None:
    clock = Clock()
    bucket = TokenBucket(limit, clock=clock)
    granted = []
    for _ in range(600):
        clock.now += random.choice([0, 0.25, pause, 16])
        granted += [clock.now for _ in range(random.randint(0, burst)) if bucket.take()]
    assert windows_above(granted, limit) == []


def test_large_bucket_gives_all_it_has_at_once_and_again_after_a_period() -> None:
    clock = Clock()
    bucket = TokenBucket(Limit(count=10_000, seconds=60.0), clock=clock)
    assert sum(bucket.take() for _ in range(20_000)) == 10_000
    clock.now = 59.75
    assert not bucket.take()
    clock.now = 60.0
    assert sum(bucket.take() for _ in range(20_000)) == 10_000


def test_a_bucket_of_any_count_has_bounded_memory() -> None:
    bucket = TokenBucket(Limit(count=10**9, seconds=60.0))
    assert len(bucket._times) <= SLOTS


@given(limits, arrivals, st.lists(st.booleans(), min_size=1))
@example(Limit(count=2, seconds=60.0), [0, 0, 0.25, 59.75, 0], [False])
def test_reservoir_never_lets_fewer_than_the_minimum_be_kept(limit: Limit, gaps: list[float], dice: list[bool]) -> None:
    clock = Clock()
    reservoir = Reservoir(limit, clock=clock)
    offered: Counter[float] = Counter()
    kept: Counter[float] = Counter()
    for n, gap in enumerate(gaps):
        clock.now += gap
        period = clock.now // limit.seconds
        offered[period] += 1
        due = reservoir.lacks()
        assert due == (kept[period] < limit.count)
        if due or dice[n % len(dice)]:
            reservoir.note()
            kept[period] += 1
    assert all(kept[period] >= min(limit.count, offered[period]) for period in offered)


def test_bucket_holds_between_threads() -> None:
    bucket = TokenBucket(Limit(count=1_000, seconds=1e9))
    granted: list[bool] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        granted.extend([bucket.take() for _ in range(1_000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 1_000


def test_reservoir_keeps_no_fewer_between_threads() -> None:
    reservoir = Reservoir(Limit(count=500, seconds=1e9))
    kept: list[int] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for n in range(1_000):
            if reservoir.lacks():
                reservoir.note()
                kept.append(n)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) >= 500


def _child(bucket: TokenBucket, answers) -> None:
    answers.put(bucket.take())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_the_lock_is_held_goes_on() -> None:
    bucket = TokenBucket(Limit(count=1, seconds=1e9))
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with bucket._lock:  # as a thread that does not exist in the child may hold it
        child = context.Process(target=_child, args=(bucket, answers))
        child.start()
    child.join(30)
    alive = child.is_alive()
    child.kill()
    child.join()
    assert not alive
    assert answers.get() is True
    answers.close()


@pytest.mark.parametrize("count", [1, 2, SLOTS - 1, SLOTS, SLOTS + 1, 2 * SLOTS - 1, 2 * SLOTS, 2 * SLOTS + 1])
def test_a_bucket_gives_its_count_at_once_to_the_last(count: int) -> None:
    """The last batch of a large one is smaller than the others, unless they come out even."""
    clock = Clock()
    bucket = TokenBucket(Limit(count=count, seconds=60.0), clock=clock)
    for _ in range(2):
        assert sum(bucket.take() for _ in range(count + 10)) == count
        clock.now += 59.9
        assert not bucket.take()
        clock.now += 0.1


def test_a_reservoir_lacks_until_it_has_enough_in_this_period() -> None:
    clock = Clock()
    reservoir = Reservoir(Limit(count=2, seconds=10.0), clock=clock)
    for _ in range(3):
        assert reservoir.lacks()
        reservoir.note()
        assert reservoir.lacks()
        reservoir.note()
        assert not reservoir.lacks()
        clock.now += 9.9 - clock.now % 10
        assert not reservoir.lacks()
        clock.now += 0.1


def test_a_bucket_holds_eight_kilobytes_of_times() -> None:
    bucket = TokenBucket(Limit(count=10**9, seconds=60.0))
    assert len(bucket._times) * bucket._times.itemsize <= 8192


def test_a_bucket_whose_last_batch_is_smaller_gives_no_more_than_its_count() -> None:
    bucket = TokenBucket(Limit(count=1025, seconds=60.0), clock=lambda: 0.0)
    assert sum(bucket.take() for _ in range(3000)) == 1025


@given(st.integers(1, 40), st.integers(1, 8), st.lists(st.sampled_from([0.0, 1.0, 4.0, 59.0, 60.0]), max_size=120))
def test_a_bucket_in_batches_obeys_the_law_and_wastes_a_batch_at_most(
    count: int, slots: int, gaps: list[float]
) -> None:
    clock = Clock()
    bucket = TokenBucket(Limit(count=count, seconds=60.0), clock=clock, slots=slots)
    size = -(-count // slots)
    granted: list[float] = []
    for gap in gaps:
        clock.now += gap
        if bucket.take():
            granted.append(clock.now)
        else:
            assert sum(clock.now - time < 60.0 for time in granted) > count - size - 1
        assert sum(clock.now - time < 60.0 for time in granted) <= count
