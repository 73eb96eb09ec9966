"""Where any of many pieces may begin in a text, told by their first four characters.

Each four characters of a text are read as a number, and all of these are looked up together, which
takes a third of what slices of a long text do. Of a short one slices are looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FOUR = 4
_SHORT = 64  # characters of a text


class Fours:
    """The beginnings of pieces.

    Args:
        pieces: of four characters or more.
    """

    __slots__ = ("_known", "_slices")

    def __init__(self, pieces: Iterable[str]) -> None:
        self._slices = {piece[:FOUR] for piece in pieces}
        self._known = set(_numbers(_bytes("".join(self._slices)), 0))

    def begin(self, text: str) -> list[int]:
        """Where one of them may begin, in order."""
        if len(text) < _SHORT:
            slices = self._slices
            return [at for at in range(len(text) - FOUR + 1) if text[at : at + FOUR] in slices]
        known, data = self._known, _bytes(text)
        found: list[int] = []
        for shift in range(FOUR):
            numbers = _numbers(data, shift)
            if not known.isdisjoint(numbers):
                found += [at * FOUR + shift for at, n in enumerate(numbers) if n in known]
        found.sort()
        return found


def _bytes(text: str) -> bytes:
    """One for each character; all that are wide are the same."""
    return text.encode("latin-1", "replace")


def _numbers(data: bytes, first: int) -> list[int]:
    count = max(0, len(data) - first) // FOUR
    return memoryview(data)[first : first + count * FOUR].cast("I").tolist()
