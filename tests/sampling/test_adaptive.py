from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._sampling.adaptive import MAX_TEMPLATES, Adaptive, shares
from asgi_sentry._sampling.rate import Limit, Rate
from asgi_sentry._sampling.sampler import PathSampler
from tests.strategies import Clock

pytestmark = pytest.mark.untraced

traffics = st.lists(st.floats(0, 1e4).map(lambda rate: rate if rate > 1e-6 else 0.0), min_size=1, max_size=40)


@given(traffics, st.floats(0.01, 1e4))
def test_shares_make_the_target_or_keep_all(traffic: list[float], target: float) -> None:
    found = shares(traffic, target)
    assert all(0 <= probability <= 1 for probability in found)
    kept = math.fsum(p * rate for p, rate in zip(found, traffic, strict=True))
    assert kept == pytest.approx(min(target, math.fsum(traffic)), rel=1e-6, abs=1e-9)


@given(traffics, st.floats(0.01, 1e4))
def test_who_has_more_traffic_gets_more_but_not_in_proportion(traffic: list[float], target: float) -> None:
    pairs = sorted(zip(traffic, shares(traffic, target), strict=True))
    for (less, p_less), (more, p_more) in pairwise(pairs):
        assert p_more <= p_less * (1 + 1e-9) or less == 0
        assert more * p_more >= less * p_less * (1 - 1e-9)


def request(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path}


def learned(adaptive: Adaptive, clock: Clock, *templates: str) -> None:
    for template in templates:
        adaptive.learn(template)
    clock.now += 1
    adaptive.choose(request("/"), 0.5)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/users/{user_id}", "/users/7"),
        ("/users/{user_id:int}", "/users/7"),
        ("/files/{name}.json", "/files/a.json"),
        ("/files/{name}-{n}.json", "/files/a-1.json"),
        ("/static/{rest:path}", "/static/a/b"),
        ("/static/{path:path}", "/static/a/b"),
        ("/orders/{day:date}", "/orders/2026-01-01"),
        ("/plain", "/plain/"),
    ],
)
def test_frameworks_templates_are_found_by_the_raw_path(template: str, path: str) -> None:
    clock = Clock()
    adaptive = Adaptive(Limit(count=20, seconds=1.0), clock=clock)
    learned(adaptive, clock, template)
    assert adaptive._matcher.match(request(path)) is adaptive._templates[template]


def test_the_more_literal_template_goes_first() -> None:
    clock = Clock()
    adaptive = Adaptive(Limit(count=20, seconds=1.0), clock=clock)
    learned(adaptive, clock, "/{rest:path}", "/users/{id}", "/users/me", "/users/{id}/posts/{post}")
    expected = {"/users/me": "/users/me", "/users/7": "/users/{id}", "/users/7/posts/1": "/users/{id}/posts/{post}"}
    for path, template in {**expected, "/x": "/{rest:path}"}.items():
        assert adaptive._matcher.match(request(path)) is adaptive._templates[template]


def test_a_template_that_the_language_cannot_say_stays_in_the_rest() -> None:
    clock = Clock()
    adaptive = Adaptive(Limit(count=20, seconds=1.0), clock=clock)
    learned(adaptive, clock, "/{a:path}/x/{b:path}", "no-slash", "/fine")
    assert len(adaptive._matcher) == 1
    assert adaptive.choose(request("/a/x/b"), 0.0) is not None


def test_outsiders_cannot_make_it_grow() -> None:
    clock = Clock()
    adaptive = Adaptive(Limit(count=20, seconds=1.0), clock=clock)
    for n in range(3 * MAX_TEMPLATES):
        clock.now += 0.001
        adaptive.choose(request(f"/{n}"), 0.5)
    assert adaptive._templates == {}
    for n in range(3 * MAX_TEMPLATES):  # nor can an app with more routes than anyone has
        adaptive.learn(f"/{n}")
    learned(adaptive, clock, "/more")
    assert len(adaptive._templates) == len(adaptive._matcher) == MAX_TEMPLATES


def test_the_rest_is_kept_down_while_a_learned_template_is_kept() -> None:
    clock = Clock()
    adaptive = Adaptive(Limit(count=20, seconds=1.0), clock=clock)
    learned(adaptive, clock, "/rare/{id}")
    kept = {"rest": 0, "rare": 0}
    rng = random.Random(5)
    for second in range(120):
        for n in range(500):
            clock.now += 0.002
            kept["rest"] += adaptive.choose(request(f"/scan/{second}/{n}"), rng.random()) is not None
        if second % 10 == 0:
            kept["rare"] += adaptive.choose(request("/rare/1"), rng.random()) is not None
    assert kept["rare"] == 12
    assert kept["rest"] == pytest.approx(120 * 20, rel=0.1)


def test_a_burst_is_met_within_the_same_second() -> None:
    clock, rng = Clock(), random.Random(6)
    adaptive = Adaptive(Limit(count=20, seconds=1.0), clock=clock)
    for _ in range(600):  # a quiet minute
        clock.now += 0.1
        adaptive.choose(request("/"), rng.random())
    kept = 0
    for _ in range(10_000):  # a thousand times as much for one second
        clock.now += 0.0001
        kept += adaptive.choose(request("/"), rng.random()) is not None
    assert 20 <= kept <= 8 * 20


def test_a_template_is_seen_every_minute_whatever_the_dice_say() -> None:
    clock = Clock()
    adaptive = Adaptive(Limit(count=4, seconds=60.0), clock=clock)
    kept = []
    for _ in range(600):
        clock.now += 1
        kept += [clock.now] * (adaptive.choose(request("/"), 0.999_999) is not None)
    assert all(later - earlier <= 61 for earlier, later in pairwise(kept))
    assert len(kept) >= 9


def simulate(hours: float, target: int, seed: int) -> list[tuple[int, int, float, set[int], set[int]]]:
    """A part of a day: (offered, kept, extrapolated, templates offered, templates kept) for each minute."""
    rng, clock = random.Random(seed), Clock()
    adaptive = Adaptive(Limit(count=target, seconds=1.0), clock=clock)
    base = [max(40 / (i + 1) ** 1.6, 1 / 60) for i in range(40)]  # a long tail, none below one a minute
    templates = [f"/r{i}/{{id}}" for i in range(40)]
    scopes = [request(f"/r{i}/7") for i in range(40)]
    burst_ends = [0] * 40
    minutes = []
    for minute in range(int(hours * 60)):
        daylight = 0.55 + 0.45 * math.sin(2 * math.pi * minute / 120)  # a day in two hours: harder than the real one
        arrivals = []
        for i, rate in enumerate(base):
            if rng.random() < 0.003:
                burst_ends[i] = minute + rng.randint(1, 5)
            busy = max(rate * daylight, 1 / 60) * (5 if burst_ends[i] > minute else 1)
            at = rng.expovariate(busy)
            while at < 60:
                arrivals.append((at, i))
                at += rng.expovariate(busy)
        offered, kept, extrapolated = set(), set(), 0.0
        count = 0
        for at, i in sorted(arrivals):
            clock.now = minute * 60 + at
            rate = adaptive.choose(scopes[i], rng.random())
            adaptive.learn(templates[i])
            offered.add(i)
            if rate is not None:
                kept.add(i)
                count += 1
                extrapolated += 1 / rate
        minutes.append((len(arrivals), count, extrapolated, offered, kept))
    return minutes


@pytest.mark.parametrize("seed", [1, 2])
def test_diurnal_bursty_long_tailed_traffic_meets_the_target(seed: int) -> None:
    minutes = simulate(2, 20, seed)[1:]
    misses = [kept / min(offered, 20 * 60) - 1 for offered, kept, *_ in minutes]
    # 20 a second by dice is 1,200 +- 35 in a minute, so 10 % is 3.5 standard deviations.
    assert all(abs(miss) <= 0.10 for miss in misses)
    assert all(offered == kept for *_, offered, kept in minutes)  # every template with a request in the minute
    total = sum(offered for offered, *_ in minutes)
    assert sum(extrapolated for _, _, extrapolated, *_ in minutes) == pytest.approx(total, rel=0.01)


def test_as_a_rate_of_a_path() -> None:
    clock, rng = Clock(), random.Random(7)
    sampler = PathSampler({"/**": Rate.adaptive("10/second", at_most="5/second")}, clock=clock)
    state = sampler.match(request("/a/1"))
    assert state is not None
    reasons: dict[str, int] = {}
    counted = 0.0
    for n in range(20_000):
        clock.now += 0.01
        choice = sampler.choose(state, sample_rand=rng.random(), parent_sampled=None, scope=request(f"/a/{n}"))
        state.learn("/a/{id}")
        reasons[choice.reason + "+" * choice.sampled] = reasons.get(choice.reason + "+" * choice.sampled, 0) + 1
        counted += 1 / (choice.rate or 1) * choice.sampled
    assert set(reasons) == {"adaptive", "adaptive+", "at_most"}
    assert 800 <= reasons["adaptive+"] <= 1_000  # 200 seconds of at most 5
    assert counted == pytest.approx(20_000, rel=0.1)


def test_backpressure_lowers_an_adaptive_rate() -> None:
    sampler = PathSampler({"/**": Rate.adaptive("10/second")}, clock=Clock())
    state = sampler.match(request("/"))
    assert state is not None
    assert sampler.choose(state, sample_rand=0.6, parent_sampled=None).sampled  # unseen so far
    assert sampler.choose(state, sample_rand=0.6, parent_sampled=None).sampled
    assert not sampler.choose(state, sample_rand=0.6, parent_sampled=None, downsample=1).sampled


@pytest.mark.parametrize("arguments", [{"target": "x"}, {"target": "5/second", "at_least": "1/hour"}])
def test_a_bad_target_is_named(arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="target"):
        Rate(**arguments)
    with pytest.raises(ValueError, match="target"):
        Rate(0.5, target="5/second")


@pytest.mark.parametrize("per_minute", [10, 60, 300])
def test_small_targets_are_met_as_well(per_minute: int) -> None:
    # The traffic of a template must not be forgotten between two of its requests: each would be kept then.
    rng, clock = random.Random(9), Clock()
    adaptive = Adaptive(Limit(count=per_minute, seconds=60.0), clock=clock)
    for n in range(20):
        adaptive.learn(f"/r{n}/{{id}}")
    kept = 0
    for n in range(24_000):  # forty minutes, of which the second half counts
        clock.now += rng.expovariate(10)
        rate = adaptive.choose(request(f"/r{int(rng.paretovariate(1)) % 20}/1"), rng.random())
        kept += n >= 12_000 and rate is not None
    assert kept == pytest.approx(per_minute * 20, rel=0.1 if per_minute > 10 else 0.3)
