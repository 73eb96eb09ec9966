from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._sampling.late import KeepRule, LateDecisions, errors, slower_than, status
from asgi_sentry._sampling.request_outcome import Outcome, statuses
from tests.strategies import Clock, arrivals, outcomes


@given(outcomes)
def test_rules_say_what_their_names_say(outcome: Outcome) -> None:
    assert errors().holds(outcome) == (outcome.failed or (outcome.status or 0) >= 500)
    assert slower_than(1.5).holds(outcome) == (outcome.seconds > 1.5)
    assert status(429, "5xx").holds(outcome) == (outcome.status == 429 or (outcome.status or 0) >= 500)


@given(outcomes, st.booleans())
def test_an_outcome_that_no_rule_names_is_left_to_the_head(outcome: Outcome, sampled: bool) -> None:
    named = outcome.status == 418
    assert (LateDecisions([status(418)]).settle(outcome, sampled=sampled) is not None) == named
    assert LateDecisions([]).settle(outcome, sampled=sampled) is None
    assert not LateDecisions([])


@given(arrivals, st.lists(st.booleans(), min_size=1))
def test_no_more_are_kept_late_than_the_limit_and_the_dice_lose_none(gaps: list[float], dice: list[bool]) -> None:
    clock = Clock()
    late = LateDecisions([errors()], "3/minute", clock=clock)
    kept_late: list[float] = []
    for n, gap in enumerate(gaps):
        clock.now += gap
        sampled = dice[n % len(dice)]
        settled = late.settle(Outcome(status=500, seconds=0.1), sampled=sampled)
        assert settled is not None
        assert settled.rule == "errors"
        assert settled.kept or not sampled
        assert (settled.rate is None) == (not settled.kept)
        kept_late += [clock.now] * (settled.kept and not sampled)
    assert all(sum(start <= time < start + 60 for time in kept_late) <= 3 for start in kept_late)


@pytest.mark.parametrize("limit", ["1000/second", "2/second"])
def test_extrapolation_counts_named_and_other_requests_rightly(limit: str) -> None:
    # 10 % dice over 40,000 requests of which a twentieth fails; 5 standard deviations of the binomial counts.
    rng, clock = random.Random(8), Clock()
    late = LateDecisions([errors()], limit, clock=clock)
    offered = {True: 0, False: 0}
    counted = {True: 0.0, False: 0.0}
    for _ in range(40_000):
        clock.now += rng.expovariate(100)
        failed, sampled = rng.random() < 0.05, rng.random() < 0.1
        offered[failed] += 1
        settled = late.settle(Outcome(status=500 if failed else 200, seconds=0.1), sampled=sampled)
        if settled is not None and settled.kept:
            counted[failed] += 1 / (settled.rate or 1)
        elif settled is None and sampled:
            counted[failed] += 1 / 0.1
    assert counted[False] == pytest.approx(offered[False], abs=5 * math.sqrt(offered[False] * 9))
    assert counted[True] == pytest.approx(offered[True], abs=25)


def test_the_first_rule_that_holds_is_told() -> None:
    late = LateDecisions((slower_than(2), status(503, "4xx"), errors()))
    told = [late.settle(Outcome(status=s, seconds=t), sampled=False) for s, t in ((503, 3), (503, 1), (500, 1))]
    assert [each and each.rule for each in told] == ["slower_than(2)", "status(503, 4xx)", "errors"]


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, True, "1.5"])
def test_a_bad_duration_is_named(seconds: float) -> None:
    with pytest.raises(ValueError, match="slower_than takes a positive number of seconds"):
        slower_than(seconds)


@pytest.mark.parametrize("code", [0, 99, 600, "6xx", "200", "", True, None, 4.04, range(50, 300), range(0)])
def test_a_bad_status_is_named(code: object) -> None:
    with pytest.raises(ValueError, match="status must be numbers within") as raised:
        status(code)  # type: ignore[arg-type]
    assert repr(code) in str(raised.value)


def test_other_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least one code"):
        status()
    with pytest.raises(TypeError, match="several codes"):
        statuses("5xx", what="x")
    with pytest.raises(TypeError, match="keep takes"):
        LateDecisions([errors])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="limit of keep"):
        LateDecisions([errors()], "many")
    assert statuses((404, range(500, 503)), what="x") == {404, 500, 501, 502}
    assert LateDecisions([KeepRule(name="all", holds=lambda _: True)])
