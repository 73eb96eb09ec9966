"""Many values, of which those that stand at a place of a text are told in few steps.

A client may send hundreds that begin alike, or each of which is the beginning of the next. Those
with one head are kept in order: all that a text begins with are beginnings of the last one that
isn't beyond it, the longer ones of which it does not begin with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.taint.fours import FOUR, Fours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FEW = 4  # of one head, which are tried one by one
_HEAD = 8  # characters by which values are alike
_LENGTHS = range(_HEAD - 1, FOUR - 1, -1)  # of values that have fewer


class Many:
    """Values by their heads.

    Args:
        values: in normal form, of four characters or more.
    """

    __slots__ = ("_by_head", "_fours", "_short")

    def __init__(self, values: Iterable[str]) -> None:
        texts = list(values)
        self._fours = Fours(texts)
        self._short = {text for text in texts if len(text) < _HEAD}
        by_head: dict[str, list[str]] = {}
        for text in texts:
            if len(text) >= _HEAD:
                by_head.setdefault(text[:_HEAD], []).append(text)
        self._by_head = {head: _Alike(alike) for head, alike in by_head.items()}

    def begin(self, text: str) -> list[int]:
        """Where one of them may begin in a text, in order."""
        return self._fours.begin(text)

    def at(self, text: str, start: int) -> Sequence[str]:
        """Those that stand at a place of a text, the longest first."""
        alike = self._by_head.get(text[start : start + _HEAD])
        found = () if alike is None else alike.at(text, start)
        if self._short:
            lengths = [length for length in _LENGTHS if start + length <= len(text)]
            pieces = [text[start : start + length] for length in lengths]
            return [*found, *[piece for piece in pieces if piece in self._short]]
        return found


class _Alike:
    """Values of one head."""

    __slots__ = ("_lineages", "_longest", "_ordered")

    def __init__(self, values: list[str]) -> None:
        self._ordered = sorted(values)
        self._longest = max(map(len, values))
        # Of each those that are its beginnings, itself first; made when the first is asked for.
        self._lineages: list[tuple[str, ...]] = []

    def at(self, text: str, start: int) -> Sequence[str]:
        if len(self._ordered) <= _FEW:
            found = [value for value in self._ordered if text.startswith(value, start)]
            return found[::-1]
        if not self._lineages:
            self._lineages = _lineages(self._ordered)
        rest = text[start : start + self._longest]
        number = bisect_right(self._ordered, rest)
        if not number:
            return ()
        lineage = self._lineages[number - 1]
        # The longer ones come first, and behind the first that stands here all others do.
        first = bisect_left(range(len(lineage)), 1, key=lambda at: rest.startswith(lineage[at]))
        return lineage[first:]


def _lineages(ordered: list[str]) -> list[tuple[str, ...]]:
    lineages: list[tuple[str, ...]] = []
    last: tuple[str, ...] = ()
    for value in ordered:
        above = last
        while above and not value.startswith(above[0]):
            above = above[1:]
        last = (value, *above)
        lineages.append(last)
    return lineages
