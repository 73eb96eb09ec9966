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

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Entry = tuple[bytes, re.Pattern[bytes] | None, int]  # a literal, its check, rules as bits

__all__ = ["SEPARATOR", "Gate", "Gates", "core_of", "words_of"]

_UPPER, _LOWER, _DIGITS = (
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"abcdefghijklmnopqrstuvwxyz",
    b"0123456789",
)
SHAPE = bytes.maketrans(_UPPER + _LOWER + _DIGITS, b"A" * 26 + b"a" * 26 + b"0" * 10)
RUN = bytes(0x61 if bytes([i]).isalnum() or i in b"_-" else 0x20 for i in range(256))
_WORDS = bytes(
    byte | 0x20 if byte in _UPPER + _LOWER else 0x20 for byte in range(256)
)  # without digits: they make none
# A gate's rarest character is looked for first: one is found many times faster than several in a
# row.
_COMMON = b" etaoinsrlcdup_mf.g,h'b:y/wv=0-1xk2()\"3456789jqzTSACEPIRNDMOLFUBGHVWKYXJQZ"
# What stands behind a word of a gate, be it a key or a scheme: a separator, a space, or an escape.
# All else is deleted.
_NO_SEPARATORS = bytes(set(range(1, 256)) - set(b"=:<>{}()[],%+\\\t\n\r\v\f \xa0\x1b|"))
# One of these stands behind every key in a text, with something behind itself: its separator, the
# quote in front of one, or the dashes of an option. A value without any is told by its letters.
_VAIN = 32  # checks in vain, beyond which a search of the whole check is quicker
SEPARATOR = re.compile(
    r"(?:[=:>\t\n|]|%3|['\"],|--|[ (]b?['\"])."
    r"|[ -][^\s=:]{0,60}(?:[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z]{2}[a-z]|[A-Z][0-9])",
    re.DOTALL,
)


class Gate(NamedTuple):
    """A literal that every match of a rule has in it, as seen through a mask."""

    # "text": as it is; "lower"; "shape": A, a, 0 for a capital, a letter, a digit; "run": a for
    # what tokens are made of "pair": as "lower", and only where a separator stands somewhere in the
    # text
    mask: str
    literal: bytes
    verify: re.Pattern[bytes] | None = None  # on the masked text, where the literal was found

    @property
    def core(self) -> bytes:
        """The longest word of a literal that is looked for in the words of texts.

        Nothing if it is not. In the words that letters are looked for in there are no digits.
        """
        if self.mask not in {"pair", "lower", "text"}:
            return b""
        if self.mask == "text":
            return core_of(self.literal)
        core = max(self.literal.translate(_WORDS).split(), key=len, default=b"")
        return core if self.mask == "pair" or len(core) > 1 else b""

    @property
    def step(self) -> int:
        """How far to go on where the literal was found in vain.

        Out of a run of one character, or by one.
        """
        length = len(self.literal)
        if self.literal.count(self.literal[:1]) == length:
            return length
        return 1


def words_of(data: bytes) -> bytes:
    """The words of some text, each once, in lower case and without digits."""
    return b" ".join(set(data.translate(_WORDS, _DIGITS).split()))


def core_of(literal: bytes) -> bytes:
    """The longest word of a literal: it is in the words of each text that the literal is in."""
    core = max(literal.translate(_WORDS, _DIGITS).split(), key=len, default=b"")
    return core if len(core) > 1 else b""


def has_behind(data: bytes) -> bool:
    """Whether something stands in a text that may stand behind a word."""
    return bool(data.translate(None, _NO_SEPARATORS))


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
                    _look(data, data, places, entries, found)
        for mask, gates in self._by_mask.items():
            if not gates:
                continue
            plane = data
            if mask == "lower":
                plane = data.lower()
            elif mask != "text":
                plane = data.translate(SHAPE if mask == "shape" else RUN)
            look = _look_at_runs if mask == "run" else _look
            checked = data if mask == "run" else plane
            for first, entries in gates.items():
                if first in plane:
                    look(plane, checked, places, entries, found)
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
        separators = data.translate(None, _NO_SEPARATORS).split(b"\0")
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
                _look(lower, lower, places, (entry,), within)
                for index, bits in within.items():
                    if not is_pair or SEPARATOR.search(texts[index]):
                        found[chosen[index]] = found.get(chosen[index], 0) | bits


_one_more = (1).__add__  # for what joins a text to the next one


class Places:
    """Which of several texts a place in all of them, joined by one character, lies in.

    Made when first asked.
    """

    __slots__ = ("_starts", "_texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._starts: list[int] = []

    def at(self, place: int) -> tuple[int, int]:
        """The index of the text, and where the next one begins."""
        starts = self._starts
        if not starts:
            starts += accumulate(map(_one_more, map(len, self._texts)), initial=0)
        index = bisect_right(starts, place)
        return index - 1, starts[index]


def _first(mask: str, literal: bytes) -> bytes:
    """What is looked for before a literal."""
    if mask in {"text", "lower"}:
        rarest = max(range(len(literal)), key=lambda at: _COMMON.find(literal[at]) % 256)
        return literal[rarest : rarest + 1]
    return b"0000" if b"0000" in literal else literal


def _look(
    plane: bytes, checked: bytes, places: Places, entries: Iterable[Entry], found: dict[int, int]
) -> None:
    """Add the texts in which a gate is found. `checked` is what a gate's own check is made on."""
    find = plane.find
    for literal, verify, bits in entries:
        at, step, vain = find(literal), len(literal), 0
        is_searched = False
        while at >= 0:
            if verify is not None and verify.match(checked, at) is None:
                vain += 1
                if vain == _VAIN:
                    is_searched = _begins_with(verify, literal)
                if is_searched:
                    match = verify.search(checked, at + 1)
                    at = match.start() if match else -1
                    continue
                # Out of a run of one.
                at = find(literal, at + (step if literal.count(literal[:1]) == step else 1))
                continue
            index, following = places.at(at)
            found[index] = found.get(index, 0) | bits
            at = find(literal, following)


def _begins_with(verify: re.Pattern[bytes], literal: bytes) -> bool:
    """Whether the check of a gate is found by its literal, other than a run of one character."""
    escaped = re.escape(literal)
    is_run = len(literal) > 1 and literal.count(literal[:1]) == len(literal)
    return not is_run and verify.pattern.startswith((escaped, b"(?:" + escaped + b")"))


def _look_at_runs(
    plane: bytes, checked: bytes, places: Places, entries: Iterable[Entry], found: dict[int, int]
) -> None:
    """The same for runs of what tokens are made of, each of which is checked once, as a whole."""
    find = plane.find
    for literal, verify, bits in entries:
        at = find(literal)
        while at >= 0:
            if verify is not None and verify.match(checked, at) is None:
                end = find(b" ", at)
                at = find(literal, end) if end >= 0 else -1
                continue
            index, following = places.at(at)
            found[index] = found.get(index, 0) | bits
            at = find(literal, following)
