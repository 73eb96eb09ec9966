from __future__ import annotations

import pytest

import asgi_sentry
from asgi_sentry._sampling.spending import budget


def test_no_text_is_no_budget():
    assert budget(None, what="budget") is None


def test_what_was_made_last_is_told():
    budget("10/month", what="budget")
    made = budget("100/month", what="budget", workers=4)
    assert made is not None
    assert made.take()
    told = asgi_sentry.budgets()["budget"]
    assert (told.count, told.spent, told.remaining) == (25, 1, 24)


@pytest.mark.parametrize("text", ["", "10", "10/week", "0/month", "-1/month", "x/month"])
def test_what_cannot_be_read_is_named(text):
    with pytest.raises(ValueError, match="error_budget"):
        budget(text, what="error_budget")


def test_too_little_for_so_many_workers():
    with pytest.raises(ValueError, match="ASGI_SENTRY_REDIS_URL"):
        budget("3/month", what="budget", workers=4)
