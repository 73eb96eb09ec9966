"""What is left of values that were cut off: as looked for at each place, and in few steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.cuts import Cuts


@given(
    st.sets(st.text("ab", min_size=9, max_size=16), min_size=1, max_size=20),
    st.lists(st.text("ab-", max_size=14), min_size=2, max_size=4),
)
def test_what_stands_beside_dots_is_found(values: set[str], parts: list[str]) -> None:
    text = "...".join(parts)
    found = set(Cuts(values).spans(text))
    at = 0
    for part in parts[:-1]:
        end = at + len(part)
        starts = [start for start in range(at, end - 7) if any(value.startswith(text[start:end]) for value in values)]
        assert {span for span in found if span[1] == end and span[0] >= at} == {(start, end) for start in starts[:1]}
        at = end + 3
    at = 0
    for number, part in enumerate(parts):
        if number:
            for stop in range(at + 8, at + len(part) + 1):
                if any(value.endswith(text[at:stop]) for value in values):
                    assert (at, stop) in found
        at += len(part) + 3


def test_a_value_that_stands_often_before_it_is_cut_off_is_found() -> None:
    value = "Zx81kQp9Lm3nV7rTbW2y"
    text = f"[{', '.join([value] * 40)}, {value[:11]}..."
    assert list(Cuts([value]).spans(text)) == [(len(text) - 14, len(text) - 3)]


def test_whether_a_beginning_is_all_that_is_left() -> None:
    cuts = Cuts(["abcdefghijkl"])
    assert cuts.beginning("see abcdefgh")
    assert not cuts.beginning("see abcdefg")
    assert not cuts.beginning("see abcdefgh.")
    assert not Cuts([]).beginning("see abcdefgh")
