"""Gates: which of many texts may hold something, told at once.

Nearly every text is harmless, so what counts is how fast that is told. All texts are joined and
looked at together: each gate, a literal that every match of a rule has in it, is searched for over
the whole, and only texts in which one is found are looked at singly. Most gates are found by two
searches for many of them (see `together.py`), the others by one each. Masks make classes of
characters one: digits are 0 in the mask "shape", so that `0000` finds four digits in a row.

Nothing is remembered from one look to the next. Each search goes over the whole once, and goes on
behind a text where a gate was found, so that the cost is linear in the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.text.single_gate import (
    RUN,
    SHAPE,
    Gate,
    Places,
    look,
    look_at_runs,
    rarest,
)
from asgi_sentry._scrubbing.text.together import Together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Gate", "Gates"]


class Gates:
    """The gates of several rules, ready to be looked for.

    Args:
        gates: each with the rules that it belongs to, as bits.
    """

    __slots__ = ("_by_mask", "_together", "all")

    def __init__(self, gates: Mapping[Gate, int]) -> None:
        self.all = dict(gates)
        self._together = Together(gates)
        # The others by mask and by what is looked for first.
        self._by_mask: dict[str, dict[bytes, list[tuple[Gate, int]]]] = {}
        for gate, bits in gates.items():
            if gate not in self._together.gates:
                by_first = self._by_mask.setdefault(gate.mask, {})
                by_first.setdefault(_first(gate), []).append((gate, bits))

    def suspects(self, texts: Sequence[str], data: bytes) -> dict[int, int]:
        """Which texts may hold something, by index, with the rules to apply as bits.

        Args:
            texts: without the character NUL; with it, neighbours may be suspected, too.
            data: all of them, joined by NUL, a byte a character.
        """
        found: dict[int, int] = {}
        places = Places(texts)
        self._together.look(texts, data, places, found)
        for mask, by_first in self._by_mask.items():
            plane = data
            if mask != "text":
                plane = data.translate(SHAPE if mask == "shape" else RUN)
            search = look_at_runs if mask == "run" else look
            checked = data if mask == "run" else plane
            for first, gates in by_first.items():
                if first in plane:
                    for gate, bits in gates:
                        search(gate, bits, plane, checked, places, found)
        return found


def _first(gate: Gate) -> bytes:
    """What is looked for before a literal."""
    if gate.mask == "text":
        return rarest(gate.literal)
    if b"\xa0" in gate.literal:
        return b"\xa0"
    return b"0000" if b"0000" in gate.literal else gate.literal
