"""Whoever looks at a usual transaction sees more than the taint finds, and never less."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing import RawTaint, Taint
from tests.quick import examples
from tests.scrubbing.taint.test_forms import FORMS
from tests.strategies import awkward_secrets, secret_values

SECRET = "Tr0ub4dor-3xyz-9917"


@settings(max_examples=examples(500))
@given(
    values=st.lists(secret_values() | awkward_secrets(), min_size=1, max_size=3),
    form=st.sampled_from(sorted(FORMS)),
    around=st.tuples(st.text(max_size=6), st.text(max_size=6)),
    cut=st.integers(0, 12),
)
@example(values=[SECRET], form="base64 in lines of 76", around=("", ""), cut=0)
@example(values=[SECRET], form="base64 for URLs, without padding", around=("x", ""), cut=3)
def test_it_sees_whatever_the_taint_finds(values, form, around, cut):
    taint, raw = Taint(values), RawTaint(values)
    for value in values:
        written = f"{around[0]}{FORMS[form](value)}{around[1]}"
        for text in (written, f"{written[: -cut or None]}...", f"{written[: -cut or None]}\u2026"):
            if taint.found_in(["nothing", text]):
                assert raw.found_in(["nothing", text])


def test_most_texts_hold_none():
    raw = RawTaint([SECRET, "0123456789abcdef0123456789abcdef"])
    assert not raw.found_in(["GET /items/{id}", "Mozilla/5.0 (X11; Linux x86_64)", "q=blue+socks&page=7", "a%20b"])


def test_short_values_are_none():
    assert not RawTaint(["1", "dark"]).found_in(["page 1", "dark"])


def test_it_shows_and_keeps_nothing():
    raw = RawTaint([SECRET])
    assert raw
    assert not RawTaint([])
    assert raw.knows(SECRET)
    assert SECRET not in repr(raw)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(raw)
