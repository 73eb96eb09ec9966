"""Gates: which of many texts may hold something, told at once.

Nearly every text is harmless, so what counts is how fast that is told. All texts are joined and
looked at together: each gate, a literal that every match of a rule has in it, is one search over
the whole, and only texts in which one is found are looked at singly. Gates of letters are searched
for only where a word of the texts has them in it. Masks make classes of characters one: digits are
0 in the mask "shape", so that `0000` finds four digits in a row.

Nothing is remembered from one look to the next. Each gate goes over the whole once, and goes on
behind a text where it was found, so that the cost is linear in the texts for each gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.text.single_gate import (
    NO_SEPARATORS,
    RUN,
    SEPARATOR,
    SHAPE,
    Gate,
    Places,
    look,
    look_at_runs,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asgi_sentry._scrubbing.text.single_gate import Entry

__all__ = ["Gates"]

# A gate's rarest character is looked for first: one is found many times faster than several in a
# row.
_COMMON = b" etaoinsrlcdup_mf.g,h'b:y/wv=0-1xk2()\"3456789jqzTSACEPIRNDMOLFUBGHVWKYXJQZ"


class Gates:
    """The gates of several rules, ready to be looked for.

    Args:
        gates: each with the rules that it belongs to, as bits.
    """

    __slots__ = ("_by_mask", "_cores", "_exact", "all")

    def __init__(self, gates: Mapping[Gate, int]) -> None:
        self.all = dict(gates)
        # By mask and by what is looked for first; what is in letters, by the longest word in it.
        self._by_mask: dict[str, dict[bytes, list[Entry]]] = {
            "text": {},
            "lower": {},
            "shape": {},
            "run": {},
        }
        # In both cases, where a separator stands; and, by their rarest character, as they are.
        self._cores: dict[bytes, list[tuple[Entry, bool]]] = {}
        self._exact: dict[bytes, list[tuple[bytes, Entry]]] = {}
        for gate, bits in gates.items():
            mask, literal, verify = gate
            entry = (literal, verify, bits)
            if gate.core and mask == "text":
                self._exact.setdefault(_first(mask, literal), []).append((gate.core, entry))
            elif gate.core:
                self._cores.setdefault(gate.core, []).append((entry, mask == "pair"))
            else:
                self._by_mask["lower" if mask == "pair" else mask].setdefault(
                    _first(mask, literal), []
                ).append(entry)

    def suspects(self, texts: Sequence[str], data: bytes) -> dict[int, int]:
        """Which texts may hold something, by index, with the rules to apply as bits.

        Args:
            texts: without the character NUL; with it, neighbours may be suspected, too.
            data: all of them, joined by NUL, a byte a character.
        """
        found: dict[int, int] = {}
        places = Places(texts)
        if self._cores or self._exact:
            # Most texts have the same words: a tenth of all characters is looked at for each gate.
            words = words_of(data)
            cores = [core for core in self._cores if core in words]
            if cores:
                self._look_for_words(cores, texts, data, found)
            for first, exact in self._exact.items():
                if first in data:
                    entries = [entry for core, entry in exact if core in words]
                    look(data, data, places, entries, found)
        for mask, gates in self._by_mask.items():
            if not gates:
                continue
            plane = data
            if mask == "lower":
                plane = data.lower()
            elif mask != "text":
                plane = data.translate(SHAPE if mask == "shape" else RUN)
            search = look_at_runs if mask == "run" else look
            checked = data if mask == "run" else plane
            for first, entries in gates.items():
                if first in plane:
                    search(plane, checked, places, entries, found)
        return found

    def _look_for_words(
        self, cores: Iterable[bytes], texts: Sequence[str], data: bytes, found: dict[int, int]
    ) -> None:
        """The gates made of letters, in texts with a separator.

        Args:
            cores: of these gates; they are in some word.
            texts: as in `suspects`.
            data: the same.
            found: takes what is found.
        """
        separators = data.translate(None, NO_SEPARATORS).split(b"\0")
        if len(separators) != len(texts):  # a text has this character itself
            separators = [b"."] * len(texts)
        chosen = [index for index, some in enumerate(separators) if some]
        if not chosen:
            return
        if len(chosen) < len(texts):
            texts = [texts[index] for index in chosen]
            data = "\0".join(texts).encode("latin-1", "replace")
        lower, places = data.lower(), Places(texts)
        for core in cores:
            for entry, is_pair in self._cores[core]:
                within: dict[int, int] = {}
                look(lower, lower, places, (entry,), within)
                for index, bits in within.items():
                    if not is_pair or SEPARATOR.search(texts[index]):
                        found[chosen[index]] = found.get(chosen[index], 0) | bits


def _first(mask: str, literal: bytes) -> bytes:
    """What is looked for before a literal."""
    if mask in {"text", "lower"}:
        rarest = max(range(len(literal)), key=lambda at: _COMMON.find(literal[at]) % 256)
        return literal[rarest : rarest + 1]
    return b"0000" if b"0000" in literal else literal
