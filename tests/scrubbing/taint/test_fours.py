"""Where pieces begin: told of short texts and of long ones alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.fours import Fours

LETTERS = "ab\xe9\u4e2d\U0001f600"
pieces = st.sets(st.text(LETTERS, min_size=4, max_size=6), max_size=5)


@pytest.mark.parametrize("before", [0, 1, 2, 3, 80])
@given(pieces, st.text(LETTERS, max_size=30))
def test_each_place_where_a_piece_begins_is_told(before: int, known: set[str], text: str) -> None:
    text = "-" * before + text
    begun = {piece[:4] for piece in known}
    wanted = [at for at in range(len(text)) if text[at : at + 4] in begun]
    found = Fours(known).begin(text)
    assert found == sorted(set(found))
    assert set(found) >= set(wanted)  # in a long one, characters that are wide are the same
    if text.isascii():
        assert found == wanted
