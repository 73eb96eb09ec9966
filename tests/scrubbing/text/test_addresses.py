"""Addresses in a text: one that is nothing else is told without the pattern, and alike."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing.text.addresses import address_spans
from tests.quick import examples


@settings(max_examples=examples(1000))
@given(
    st.text("0123459.:%af \0\u0661\n", max_size=17)
    | st.lists(st.integers(0, 300).map(str), min_size=3, max_size=5).map(".".join)
)
@example("203.0.113.7")
@example("203.0.113.007")
@example("255.255.255.255")
@example("1.2.3.4\n")
@example("1.2.3.\u0661")
def test_an_address_alone_is_the_one_that_it_is_beside_others(text: str) -> None:
    alone, among = list(address_spans(text)), list(address_spans(f"{text} ", 0, len(text)))
    assert alone == among


@pytest.mark.parametrize("text", ["203.0.113.7", "0.0.0.0", "255.255.255.255"])
def test_an_address_alone_is_one(text: str) -> None:
    assert list(address_spans(text)) == [(0, len(text))]


@pytest.mark.parametrize("text", ["1.2.3", "1.2.3.4.5", "1.2.3.256", "1..2.3", "", ".", "v1.2.3.4"])
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert list(address_spans(text)) == []
