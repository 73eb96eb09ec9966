from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._sampling.rate import PERIODS, Limit, Rate


@given(st.integers(1, 10**12), st.sampled_from(sorted(PERIODS)), st.sampled_from(["{}/{}", " {} / {} "]))
def test_limits_read_as_they_are_written(count: int, period: str, form: str) -> None:
    assert Limit.parse(form.format(count, period), what="at_most") == Limit(count=count, seconds=PERIODS[period])


@pytest.mark.parametrize(
    "text", ["", "5", "5/fortnight", "0/second", "-1/second", "1.5/second", "5/Second", "x/day", "5/second/day"]
)
def test_a_limit_that_cannot_be_read_is_named_with_its_remedy(text: str) -> None:
    for name in ("at_most", "at_least"):
        with pytest.raises(ValueError, match=name) as raised:
            Rate(**{name: text})
        assert repr(text) in str(raised.value)
        assert "'5/second'" in str(raised.value)


@pytest.mark.parametrize("value", [5, b"5/second", ("5/second",)])
def test_a_limit_that_is_not_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="at_most must be text such as '5/second'"):
        Rate(at_most=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan, math.inf, -math.inf, True, False, 25])
def test_a_fraction_outside_of_its_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"within \[0, 1\], got") as raised:
        Rate(value)
    assert repr(value) in str(raised.value)
    assert ("0.25 for 25 %" in str(raised.value)) == (value == 25)


@pytest.mark.parametrize("value", ["0.5", None, Fraction(1, 2)])
def test_a_fraction_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="must be a number"):
        Rate(value)  # type: ignore[arg-type]


def test_a_rate_is_a_value() -> None:
    assert Rate(1, at_most="5/second") == Rate(1.0, at_most="5/second")
    assert len({Rate(0.5), Rate(0.5), Rate(0.5, at_least="1/hour")}) == 2
    with pytest.raises(FrozenInstanceError):
        Rate().fraction = 0.5  # type: ignore[misc]
    with pytest.raises(TypeError):
        Rate(1.0, "5/second")  # type: ignore[misc]


def test_only_a_rate_of_zero_without_a_minimum_excludes() -> None:
    assert Rate(0).excludes
    assert not Rate(0, at_least="1/hour").excludes
    assert not Rate(0.1).excludes


def test_a_minimum_above_the_maximum_is_refused() -> None:
    with pytest.raises(ValueError, match="lower at_least"):
        Rate(at_least="61/minute", at_most="1/second")
    Rate(at_least="60/minute", at_most="1/second")


def test_no_calendar_month_has_more_than_a_month_allows() -> None:
    assert PERIODS["month"] >= 31 * PERIODS["day"]


@given(st.integers(1, 10**6), st.sampled_from(sorted(PERIODS)), st.integers(1, 64))
def test_the_shares_of_all_workers_have_the_limit_as_their_mean(count: int, period: str, workers: int) -> None:
    limit = Limit(count=count, seconds=PERIODS[period])
    assert workers * limit.share(workers).per_second <= limit.per_second * (1 + 1e-9)
    assert limit.share(1) == limit
