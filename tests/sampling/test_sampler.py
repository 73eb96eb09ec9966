from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._sampling.adaptive import Adaptive
from asgi_sentry._sampling.ledger import SPREAD, Ledger
from asgi_sentry._sampling.limits import TokenBucket
from asgi_sentry._sampling.rate import Limit, Rate
from asgi_sentry._sampling.sampler import Choice, PathSampler
from tests.strategies import Clock, arrivals


def scope(path: str, method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "path": path, "method": method}


def choose(sampler: PathSampler, *, rand: float, parent: bool | None = None, **more: Any) -> Choice:
    state = sampler.match(scope("/x"))
    assert state is not None
    return sampler.choose(state, sample_rand=rand, parent_sampled=parent, **more)


rands = st.integers(0, 999_999).map(lambda millionths: millionths / 1_000_000)
parents = st.sampled_from([None, True, False])


def test_first_match_then_default_then_the_sdk() -> None:
    sampler = PathSampler({"/x": 0.5, "/x/**": Rate(0.25), "POST /y": 1}, default=None)
    found = [sampler.match(s) for s in (scope("/x/"), scope("/x/y"), scope("/y", "POST"), scope("/y"))]
    assert [state and state.rate for state in found] == [Rate(0.5), Rate(0.25), Rate(1.0), None]
    default = PathSampler({"/x": 0.5}, default=0.1).match(scope("/y"))
    assert default is not None
    assert default.rate == Rate(0.1)


@given(st.floats(0, 1, exclude_min=True), rands)
def test_dice_decide_by_the_traces_own_sample_rand(fraction: float, rand: float) -> None:
    # Two processes have nothing in common but the trace.
    one, other = PathSampler({"/x": fraction}), PathSampler({"/x": fraction})
    assert choose(one, rand=rand) == choose(other, rand=rand) == Choice(rand < fraction, fraction, "dice")


@given(st.integers(1, 5), rands)
def test_backpressure_halves_the_fraction(downsample: int, rand: float) -> None:
    sampler = PathSampler({"/x": 0.5})
    halved = 0.5 / 2**downsample
    assert choose(sampler, rand=rand, downsample=downsample) == Choice(rand < halved, halved, "dice")


@given(rands, parents, st.sampled_from(["inherit", "ignore"]))
def test_a_rate_of_zero_excludes_whatever_the_parent_decided(rand: float, parent: bool | None, mode: str) -> None:
    assert choose(PathSampler({"/x": 0}, parent=mode), rand=rand, parent=parent) == Choice(False, 0.0, "excluded")


@given(rands, st.booleans())
def test_an_incoming_decision_is_inherited(rand: float, parent: bool) -> None:
    for rate in (0.001, Rate(0.5, at_least="10/second"), Rate(0.5, at_most="10/second")):
        assert choose(PathSampler({"/x": rate}), rand=rand, parent=parent) == Choice(parent, None, "parent")


@given(rands, parents)
def test_an_incoming_decision_is_ignored_if_wanted(rand: float, parent: bool | None) -> None:
    sampler = PathSampler({"/x": 0.5}, parent="ignore")
    assert choose(sampler, rand=rand, parent=parent) == Choice(rand < 0.5, 0.5, "dice")


@given(arrivals, st.lists(st.tuples(rands, parents), min_size=1), st.sampled_from(["inherit", "ignore"]))
def test_at_most_holds_whoever_asks(gaps: list[float], requests: list[tuple[float, bool | None]], mode: str) -> None:
    clock = Clock()
    sampler = PathSampler({"/x": Rate(0.9, at_most="3/minute", at_least="2/minute")}, parent=mode, clock=clock)
    kept: list[float] = []
    for n, gap in enumerate(gaps):
        clock.now += gap
        rand, parent = requests[n % len(requests)]
        if choose(sampler, rand=rand, parent=parent).sampled:
            kept.append(clock.now)
    assert all(sum(start <= time < start + 60 for time in kept) <= 3 for start in kept)


@given(arrivals, st.lists(rands, min_size=1), st.floats(0, 1))
def test_at_least_keeps_rare_requests(gaps: list[float], dice: list[float], fraction: float) -> None:
    clock = Clock()
    sampler = PathSampler({"/x": Rate(fraction, at_least="2/minute")}, clock=clock)
    offered: list[float] = []
    kept: list[float] = []
    for n, gap in enumerate(gaps):
        clock.now += gap
        rand = dice[n % len(dice)]
        choice = choose(sampler, rand=rand)
        assert choice.reason == ("dice" if rand < fraction or not choice.sampled else "at_least")
        offered.append(clock.now)
        kept += [clock.now] * choice.sampled
        minute = [sum(time // 60 == clock.now // 60 for time in times) for times in (kept, offered)]
        assert minute[0] >= min(2, minute[1])


def test_at_least_does_not_overrule_a_parents_no_and_at_most_says_that_it_was_it() -> None:
    sampler = PathSampler({"/x": Rate(0, at_least="1/minute", at_most="1/minute")}, clock=Clock())
    assert choose(sampler, rand=0.5, parent=False) == Choice(False, None, "parent")
    assert choose(sampler, rand=0.5) == Choice(True, 1.0, "at_least")
    assert choose(sampler, rand=0.5, parent=True) == Choice(False, None, "at_most")


def test_a_limit_that_does_not_bite_leaves_the_fraction_as_the_rate() -> None:
    clock = Clock()
    sampler = PathSampler({"/x": Rate(0.25, at_most="100/second")}, clock=clock)
    rng = random.Random(1)
    for _ in range(1_000):
        clock.now += 1
        assert choose(sampler, rand=rng.random()).rate == 0.25


# --- the effective rate ---


@given(st.lists(st.booleans(), max_size=300))
def test_the_ledgers_weights_and_the_open_debt_are_the_number_offered(kept: list[bool]) -> None:
    ledger, weights = Ledger(), []
    for keep in kept:
        if keep:
            weights.append(ledger.keep())
        else:
            ledger.drop()
    assert all(weight >= 1 for weight in weights)
    assert ledger.debt >= -1e-9
    assert math.fsum(weights) + ledger.debt == pytest.approx(len(kept))


def test_the_ledger_settles_at_one_over_the_part_that_is_kept() -> None:
    ledger, weights = Ledger(), []
    for n in range(10_000):
        if n % 10 == 9:
            weights.append(ledger.keep())
        else:
            ledger.drop()
    assert weights[-100:] == pytest.approx([10] * 100)
    assert ledger.debt == pytest.approx((SPREAD - 1) * 9, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "per_second"),
    [
        (Rate(1.0, at_most="5/second"), 200),
        (Rate(0.25, at_most="5/second"), 200),
        (Rate(0.01, at_least="1/minute"), 0.05),
        (Rate(0.01, at_least="1/minute"), 50),
        (Rate(0.1, at_least="1/second", at_most="2/second"), 100),
        (Rate(0, at_least="1/second"), 30),
    ],
)
def test_extrapolation_gives_the_traffic_back(rate: Rate, per_second: float) -> None:
    # 20,000 Poisson arrivals. What dice have no part in is off by the open debt alone; where they have, by less than
    # 5 standard deviations of their binomial count (a false alarm in 3.5 million seeds, and the seed is fixed).
    rng, clock = random.Random(4), Clock()
    sampler = PathSampler({"/x": rate}, clock=clock)
    offered, counted, kept = 20_000, 0.0, 0
    for _ in range(offered):
        clock.now += rng.expovariate(per_second)
        choice = choose(sampler, rand=rng.random())
        if choice.sampled:
            kept += 1
            assert choice.rate is not None
            assert 0 < choice.rate <= 1
            counted += 1 / choice.rate
    open_debt = 2 * SPREAD * offered / kept
    fraction = rate.fraction or 1.0
    sigma = 0 if rate.at_least else math.sqrt(offered * (1 - fraction) / fraction)
    assert abs(counted - offered) <= open_debt + 5 * sigma


def test_forced_requests_travel_with_the_parents_rate_times_what_is_kept_of_them() -> None:
    clock, counted, offered = Clock(), 0.0, 10_000
    sampler = PathSampler({"/x": Rate(1.0, at_most="5/second")}, clock=clock)
    for _ in range(offered):
        clock.now += 0.0625
        choice = choose(sampler, rand=0.5, parent=True, parent_rate=0.5)
        if choice.sampled:
            counted += 1 / (choice.rate or 0.5)
    assert counted == pytest.approx(2 * offered, rel=0.01)


# --- bad input ---


@pytest.mark.parametrize("value", [1.5, -1, math.nan, True])
def test_a_bad_rate_names_its_path(value: float) -> None:
    with pytest.raises(ValueError, match=r"rate for '/x' must be within \[0, 1\], got "):
        PathSampler({"/x": value})
    with pytest.raises(ValueError, match=r"default must be within \[0, 1\], got "):
        PathSampler({}, default=value)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="parent must be 'inherit' or 'ignore', got 'inherits'"):
        PathSampler({}, parent="inherits")
    with pytest.raises(TypeError, match="rates must be a mapping"):
        PathSampler([("/x", 1.0)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rate for '/x' must be a number"):
        PathSampler({"/x": "0.5"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="path rule 'x'"):
        PathSampler({"x": 0.5})


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "4"])
def test_a_bad_number_of_workers_is_named(workers: Any) -> None:
    with pytest.raises(ValueError, match="workers must be the number of processes, at least 1, got"):
        PathSampler({}, workers=workers)


# --- several processes ---


def test_without_redis_each_worker_has_an_equal_part() -> None:
    clock = Clock()
    rate = Rate(at_most="100/minute")
    workers = [PathSampler({"/x": rate}, clock=clock, workers=3) for _ in range(3)]
    kept = [sum(choose(worker, rand=0.5).sampled for _ in range(200)) for worker in workers]
    assert kept == [33, 33, 33]
    adaptive = PathSampler({"/x": Rate.adaptive("21/second")}, workers=3).match(scope("/x"))
    assert adaptive is not None
    assert adaptive.adaptive is not None
    assert adaptive.adaptive.target == 7


class Shared:
    """Notes what is shared under which name."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def gate(self, name: str, limit: Limit) -> TokenBucket:
        self.names.append(name)
        return TokenBucket(limit)

    def target(self, name: str, limit: Limit, adaptive: Adaptive) -> None:
        self.names.append(name)


def test_processes_with_the_same_rules_share_by_the_same_names() -> None:
    rate = Rate(at_most="1/hour")

    def names() -> list[str]:
        shared = Shared()
        rules = {"/x": rate, "/free": 0.5, re.compile("/y.*"): rate, (lambda _: True): rate}
        PathSampler(rules, default=Rate.adaptive("5/second", at_most="1/hour"), sharing=shared, workers=8)
        return shared.names

    assert names() == names()
    assert names() == [
        "at_most:0:/x",
        "at_most:2:/y.*",
        "at_most:3:callable",
        "at_most:default",
        "target:default",
    ]
    # The whole limit is given to what shares it, however many workers there are.
    state = PathSampler({"/x": rate}, sharing=Shared(), workers=8).match(scope("/x"))
    assert state is not None
    assert isinstance(state.bucket, TokenBucket)
    assert state.bucket.limit == rate.most
