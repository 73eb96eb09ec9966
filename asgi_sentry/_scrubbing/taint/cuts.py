"""What is left of values at dots, by which a text says that it was cut off there.

The beginning of a value stands in front of them, or its end behind them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.taint.fours import Fours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Span = tuple[int, int]

SHORTEST = 8  # characters of a value that are still it
_MOST, _LONGEST = 16, 1024
# So many places are tried for each cut, from either end: a text may hold the first characters of
# values again and again.
_TRIED = 8
_DOTS = re.compile("\\.\\.\\.|\u2026")
# What is left of a character of latin-1 in UTF-8 where the cut was within it.
_BEGINS, _ENDS = "\xc2\xc3", "".join(map(chr, range(0x80, 0xC0)))


class Cuts:
    """The beginnings and the ends of values.

    Args:
        values: in normal form.
    """

    __slots__ = (
        "_backwards",
        "_head_fours",
        "_heads",
        "_longest",
        "_sorted",
        "_tail_fours",
        "_tails",
    )

    def __init__(self, values: Iterable[str]) -> None:
        self._sorted = sorted(value for value in values if len(value) > SHORTEST)
        self._backwards = sorted(value[::-1] for value in self._sorted)
        self._heads = {value[:SHORTEST] for value in self._sorted}
        self._tails = {value[-SHORTEST:] for value in self._sorted}
        self._head_fours, self._tail_fours = Fours(self._heads), Fours(self._tails)
        longest = max(map(len, self._sorted), default=0)
        self._longest = min(longest, _LONGEST)  # how far a value that was cut off may reach

    def spans(self, text: str) -> Iterator[Span]:
        """What stands beside dots in a text in normal form."""
        if not self._sorted:
            return
        heads = _places(text, self._heads, self._head_fours)
        tails = _places(text, self._tails, self._tail_fours)
        for mark in islice(_DOTS.finditer(text), _MOST):
            yield from self._beginning(text, mark.start(), heads)
            end = mark.end()
            first = bisect_left(tails, end)
            last = bisect_left(tails, min(end + self._longest, len(text)) - SHORTEST + 1)
            for at in _outermost(tails, first, last):
                stop = at + SHORTEST
                if _is_beginning(text[end:stop].lstrip(_ENDS)[::-1], self._backwards):
                    yield end, stop

    def beginning(self, text: str) -> bool:
        """Whether the beginning of a value is all that is left at the end of a text."""
        if not self._sorted or len(text) < SHORTEST:
            return False
        part = text[-self._longest :]
        heads = _places(part, self._heads, self._head_fours)
        return any(self._beginning(part, len(part), heads))

    def _beginning(self, text: str, end: int, heads: list[int]) -> Iterator[Span]:
        first = bisect_left(heads, end - self._longest)
        last = bisect_left(heads, end - SHORTEST + 1)
        for at in _outermost(heads, first, last):
            if _is_beginning(text[at:end].rstrip(_BEGINS), self._sorted):
                yield at, end
                return


def _places(text: str, known: set[str], fours: Fours) -> list[int]:
    return [at for at in fours.begin(text) if text[at : at + SHORTEST] in known]


def _outermost(places: list[int], first: int, last: int) -> list[int]:
    """Some places from each end of several."""
    if last - first <= 2 * _TRIED:
        return places[first:last]
    return places[first : first + _TRIED] + places[last - _TRIED : last]


def _is_beginning(piece: str, ordered: list[str]) -> bool:
    """Whether a piece is the beginning of one of several texts in order."""
    at = bisect_left(ordered, piece)
    return at < len(ordered) and ordered[at].startswith(piece)
