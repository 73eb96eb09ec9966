from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._sampling.budgets import ROOM, Budget, Period, allowed, parse_budget, period_at
from asgi_sentry._sampling.rate import PERIODS, Limit
from tests.strategies import Clock

UTC = timezone.utc
MONTH = PERIODS["month"]
moments = st.integers(946_684_800, 4_102_444_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


@given(moments)
def test_months_are_those_of_the_calendar(moment: datetime) -> None:
    period = period_at(Limit(count=1, seconds=MONTH), moment.timestamp())
    start, end = (datetime.fromtimestamp(edge, UTC) for edge in period)
    assert start <= moment < end
    assert (start.day, start.time(), end.day) == (1, datetime.min.time(), 1)
    assert (start.year, start.month) == (moment.year, moment.month)
    assert timedelta(days=28) <= end - start <= timedelta(days=31)


@given(moments, st.sampled_from(["second", "minute", "hour", "day"]))
def test_shorter_periods_begin_where_the_clock_shows_zeros(moment: datetime, name: str) -> None:
    period = period_at(Limit(count=1, seconds=PERIODS[name]), moment.timestamp())
    assert period.start <= moment.timestamp() < period.end
    assert period.end - period.start == PERIODS[name]
    assert datetime.fromtimestamp(period.start, UTC).microsecond == 0
    assert period.start % PERIODS[name] == 0


@given(st.integers(1, 40), st.lists(st.sampled_from([0, 0, 0, 1, 60, 3_600, 20_000, 86_400]), max_size=300))
def test_never_over_and_never_far_ahead_of_the_even_line(count: int, gaps: list[int]) -> None:
    clock = Clock()
    clock.now = at(2026, 2, 26)
    limit = Limit(count=count, seconds=PERIODS["day"])
    budget = Budget(limit, clock=clock)
    spent: dict[float, int] = {}
    for gap in gaps:
        clock.now += gap
        period = period_at(limit, clock.now)
        granted = budget.take()
        spent[period.start] = spent.get(period.start, 0) + granted
        gone = (clock.now - period.start) / PERIODS["day"]
        line = count * gone + max(1, ROOM * count)
        assert spent[period.start] <= min(count, line)
        if not granted:  # and a refusal has its reason
            assert spent[period.start] + 1 > min(count, line)
        status = budget.status()
        assert (status.spent, status.remaining) == (spent[period.start], count - spent[period.start])
        assert (status.available > 0) == (spent[period.start] + 1 <= min(count, line))


def test_a_month_under_load_is_spent_evenly_and_to_the_last() -> None:
    clock = Clock()
    clock.now = at(2026, 2, 1)
    budget = Budget(Limit(count=10_000, seconds=MONTH), clock=clock)
    days = []
    for _ in range(28):
        granted = 0
        for _ in range(1_440):
            granted += budget.take()
            clock.now += 60
        days.append(granted)
    assert sum(days) == 10_000
    assert max(days) == days[0] <= 1_000 + 10_000 / 28 + 1  # the room, and a day's worth
    # The room spent on the first day is not there again: it is what the last days lack.
    assert all(abs(granted - 10_000 / 28) <= 1 for granted in days[1:24])


def test_a_quiet_week_leaves_its_part_for_later() -> None:
    clock = Clock()
    clock.now = at(2026, 2, 8)
    budget = Budget(Limit(count=28_000, seconds=MONTH), clock=clock)
    assert sum(budget.take() for _ in range(30_000)) == 7_000 + 2_800


def test_a_clock_set_back_gives_nothing_twice() -> None:
    clock = Clock()
    clock.now = at(2026, 3, 1)
    budget = Budget(Limit(count=10, seconds=MONTH), clock=clock)
    clock.now = at(2026, 3, 31)
    assert sum(budget.take() for _ in range(20)) == 10
    clock.now = at(2026, 2, 20)
    assert not budget.take()
    clock.now = at(2026, 4, 1)
    assert budget.take()


def test_each_mark_is_warned_of_once_in_a_period(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    budget = Budget(Limit(count=10, seconds=PERIODS["day"]), name="error_budget", clock=clock)
    with caplog.at_level(logging.WARNING):
        for day in range(2):
            clock.now = (day + 0.999) * PERIODS["day"]
            for _ in range(20):
                budget.take()
    assert [record.getMessage() for record in caplog.records] == [
        "error_budget: 80 % of 10 are spent until 1970-01-02 00:00 UTC",
        "error_budget: 100 % of 10 are spent; nothing more is sent of it until 1970-01-02 00:00 UTC",
        "error_budget: 80 % of 10 are spent until 1970-01-03 00:00 UTC",
        "error_budget: 100 % of 10 are spent; nothing more is sent of it until 1970-01-03 00:00 UTC",
    ]


def test_status_tells_what_is_left_and_until_when() -> None:
    clock = Clock()
    clock.now = at(2026, 12, 16)
    budget = Budget(Limit(count=310, seconds=MONTH), clock=clock, spent=100)
    status = budget.status()
    assert (status.count, status.spent, status.remaining) == (310, 100, 210)
    assert status.available == 150 + 31 - 100
    assert status.resets_at == datetime(2027, 1, 1, tzinfo=UTC)


def test_shares_without_redis_are_never_over_together() -> None:
    assert parse_budget("10000/month", what="budget", workers=3) == Limit(count=3_333, seconds=MONTH)
    with pytest.raises(ValueError, match="can't be divided between 4 workers; share it by Redis"):
        parse_budget("3/month", what="budget", workers=4)
    with pytest.raises(ValueError, match="error_budget must be"):
        parse_budget("3 a month", what="error_budget")


def test_the_line_outside_of_its_period_is_that_of_its_edges() -> None:
    assert allowed(100, Period(1_000, 2_000), 0) == 10
    assert allowed(100, Period(1_000, 2_000), 9_999) == 100
