"""Gates that are looked for together: one search finds the places of many.

A search for any of a hundred words takes a fifth of the time of a search for each. What has no word
in it is looked for by its rarest sign.

Where places are denser than in any text of people or programs, each of them would cost more than
the search, so that each gate is looked for by itself there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.text.rare import heads_of, pattern_of, rare_start
from asgi_sentry._scrubbing.text.single_gate import (
    NOTHING,
    Beside,
    core_of,
    has_behind,
    look,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asgi_sentry._scrubbing.text.single_gate import Gate, Places

__all__ = ["Together"]

# Places, and characters for each, beyond which each gate is looked for by itself.
_FEWEST, _DENSEST = 96, 72
_LETTERS = "abcdfhjknopstuy"  # which cost least, as measured


class _Told(NamedTuple):
    """What may stand where a place was found.

    Attributes:
        back: characters of the gate's literal in front of the place.
        literal: nothing where what was found is the literal.
        is_exact: whether it is looked for as it is, and not in lower case.
        verify: the gate's check.
        bits: its rules.
        asked: what a text must have in it besides.
    """

    back: int
    literal: bytes
    is_exact: bool
    verify: re.Pattern[bytes] | None
    bits: int
    asked: int


class _Search(NamedTuple):
    """One search for many gates.

    Attributes:
        is_lower: whether it goes over the texts in lower case.
        find: searches for a place.
        told: what may stand there, by what was found.
        gates: all of them.
    """

    is_lower: bool
    find: Callable[..., re.Match[bytes] | None]
    told: dict[bytes, list[_Told]]
    gates: list[tuple[Gate, int]]


class Together:
    """Those of some gates that are looked for together.

    Args:
        gates: each with its rules, as bits.

    Attributes:
        gates: which of them.
    """

    __slots__ = ("_searches", "gates")

    def __init__(self, gates: Mapping[Gate, int]) -> None:
        each = [(gate, bits, gate.word) for gate, bits in gates.items()]
        words = [(gate, bits, word) for gate, bits, word in each if word]
        signs = [(gate, bits) for gate, bits, word in each if not word and gate.sign]
        self.gates = frozenset((*(gate for gate, _, _ in words), *(gate for gate, _ in signs)))
        self._searches: list[_Search] = []
        if words:
            self._searches.append(_search_for_words(words))
        if signs:
            self._searches.append(_search_for_signs(signs))

    def look(
        self, texts: Sequence[str], data: bytes, places: Places, found: dict[int, int]
    ) -> None:
        """Add the texts in which a gate is found.

        Args:
            texts: in which.
            data: all of them, joined by NUL, a byte a character.
            places: which text a place lies in.
            found: takes the rules by the index of the text.
        """
        lower, beside = data.lower(), Beside(texts)
        for search in self._searches:
            if not _is_told(search, data, lower, places, beside, found):
                _look_for_each(search, data, lower, places, beside, found)


def _is_told(
    search: _Search,
    data: bytes,
    lower: bytes,
    places: Places,
    beside: Beside,
    found: dict[int, int],
) -> bool:
    """Add what one search finds; whether that is all, since places are no denser than usual."""
    is_lower, find, told, _ = search
    searched = lower if is_lower else data
    left = max(_FEWEST, len(data) // _DENSEST)
    index = following = known = 0
    match = find(searched)
    while match is not None:
        left -= 1
        if not left:
            return False
        place = match.start()
        for back, literal, is_exact, verify, bits, asked in told[match[0]]:
            if known & bits == bits and place < following:
                continue
            plane = data if is_exact else lower
            at = place - back
            if literal and (at < 0 or not plane.startswith(literal, at)):
                continue
            if verify is not None and verify.match(plane, at) is None:
                continue
            if place >= following:  # only now, since few checks hold
                index, following = places.at(place)
                known = found.get(index, 0)
            if known & bits != bits and (asked == NOTHING or asked <= beside.of(index)):
                known = found[index] = known | bits
        match = find(searched, place + 1)
    return True


def _look_for_each(
    search: _Search,
    data: bytes,
    lower: bytes,
    places: Places,
    beside: Beside,
    found: dict[int, int],
) -> None:
    """Add what a search for each of the gates finds."""
    words = words_of(lower)  # what is dense has few that differ
    is_bare = not has_behind(data.replace(b"\0", b""))
    for gate, bits in search.gates:
        if core_of(gate.word) not in words or gate.sign not in data or (gate.asked and is_bare):
            continue
        plane = data if gate.mask == "text" else lower
        within: dict[int, int] = {}
        look(gate, bits, plane, plane, places, within)
        for index in within:
            if gate.asked <= beside.of(index):
                found[index] = found.get(index, 0) | bits


def _search_for_words(gates: list[tuple[Gate, int, bytes]]) -> _Search:
    starts = [rare_start(word.decode("latin-1"), _LETTERS) for _, _, word in gates]
    parts = [word[start:] for (_, _, word), start in zip(gates, starts, strict=True)]
    heads = heads_of(part.decode("latin-1") for part in parts)
    told: dict[bytes, list[_Told]] = {head.encode("latin-1"): [] for head in heads}
    for (gate, bits, word), start, part in zip(gates, starts, parts, strict=True):
        head = next(part[:end] for end in range(1, len(part) + 1) if part[:end] in told)
        literal = gate.literal.lower() if gate.mask == "text" else gate.literal
        told[head].append(_told(gate, bits, literal.find(word) + start, head))
    find = re.compile(pattern_of(heads).encode("latin-1")).search
    return _Search(is_lower=True, find=find, told=told, gates=[gate[:2] for gate in gates])


def _search_for_signs(gates: list[tuple[Gate, int]]) -> _Search:
    told: dict[bytes, list[_Told]] = {}
    around: dict[bytes, dict[bytes, None]] = {}
    for gate, bits in gates:
        literal, sign = gate.literal, gate.sign
        back = literal.find(sign)
        told.setdefault(sign, []).append(_told(gate, bits, back, sign))
        before, behind = re.escape(literal[: back + 1]), re.escape(literal[back + 1 :])
        beside = b""
        if back:
            beside = b"(?<=" + before + b")"
        if behind:
            beside += b"(?=" + behind + b")"
        around.setdefault(sign, {})[beside] = None
    each = (re.escape(sign) + b"(?:" + b"|".join(some) + b")" for sign, some in around.items())
    return _Search(is_lower=False, find=re.compile(b"|".join(each)).search, told=told, gates=gates)


def _told(gate: Gate, bits: int, back: int, found: bytes) -> _Told:
    is_exact = gate.mask == "text"
    literal = gate.literal
    if literal == found and (not is_exact or gate.sign):
        literal = b""
    return _Told(back, literal, is_exact, gate.verify, bits, gate.asked)
