"""Value rules over many texts at once.

Nearly every text is harmless, so what counts is how fast that is told. All texts are joined and looked at together:
each gate, a literal that every match of a rule has in it, is one fast search over the whole; only texts in which one
is found are looked at singly. Masks make classes of characters one: digits are 0 in the mask "shape", so that `0000`
finds four digits in a row.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from asgi_sentry.scrubbing.rules import FILTERED, Gate, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asgi_sentry.scrubbing.keys import Keys
    from asgi_sentry.scrubbing.taint import Taint

    Entries = Sequence[tuple[bytes, re.Pattern[bytes] | None, int]]  # literal, check, rules as bits

REQUEST = "@request"
_UPPER, _LOWER, _DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz", b"0123456789"
_SHAPE = bytes.maketrans(_UPPER + _LOWER + _DIGITS, b"A" * 26 + b"a" * 26 + b"0" * 10)
_RUN = bytes(0x61 if bytes([i]).isalnum() or i in b"_-" else 0x20 for i in range(256))
_ROUNDS = 4  # a redaction may complete another match ("a [Filtered]@b" ...); each round leaves less to find


class Places:
    """Which of several texts a place in all of them, joined by one character, lies in. Made when first asked."""

    __slots__ = ("_starts", "_texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._starts: list[int] = []

    def at(self, place: int) -> tuple[int, int]:
        """The index of the text, and where the next one begins."""
        starts = self._starts
        if not starts:
            starts += [length + number for number, length in enumerate(accumulate(map(len, self._texts), initial=0))]
        index = bisect_right(starts, place)
        return index - 1, starts[index]


class TextRules:
    """The rules of one scrubber, ready to be applied to texts.

    Args:
        rules: which.
        keys: what the keys in a text mean.
    """

    __slots__ = ("_always", "_keys", "_masks", "_rules", "clean_frames", "clean_lines")

    def __init__(self, rules: Sequence[Rule], keys: Keys) -> None:
        self._rules = tuple(rules)
        self._keys = keys
        self._always = 0
        self.clean_lines: set[str] = set()  # texts of the protocol's that were found harmless; bounded by who fills it
        self.clean_frames: dict[Any, tuple[Any, ...]] = {}  # the same for frames, by file and line
        gates: dict[Gate, int] = {}
        for number, rule in enumerate(rules):
            if not rule._gates:  # noqa: SLF001 - a rule's own business with its engine
                self._always |= 1 << number
            for gate in rule._gates:  # noqa: SLF001
                gates[gate] = gates.get(gate, 0) | 1 << number
        masks: dict[str, list[tuple[bytes, re.Pattern[bytes] | None, int]]] = {}
        for gate, bits in gates.items():
            masks.setdefault(gate.mask, []).append((gate.literal, gate.verify, bits))
        self._masks = tuple((mask, tuple(entries)) for mask, entries in masks.items())

    def suspects(self, texts: Sequence[str], taint: Taint | None = None) -> dict[int, int]:
        """Which texts may hold something, by index, with the rules to apply as bits; bit -1 (the sign) is taint's."""
        if not texts:
            return {}
        joined = "\0".join(texts)
        found = dict.fromkeys(range(len(texts)), self._always) if self._always else {}
        places = Places(texts)
        data = joined.encode("latin-1", "replace")  # one byte a character, so that places stay what they are
        for mask, entries in self._masks:
            if mask == "pair":
                self._suspect_pairs(texts, data, places, entries, found)
            elif mask == "text":
                _look(data, data, places, entries, found)
            else:
                plane = data.lower() if mask == "lower" else data.translate(_SHAPE if mask == "shape" else _RUN)
                _look(plane, data if mask == "run" else plane, places, entries, found)
        if taint:
            for index in taint.suspects(joined, texts, places):
                found[index] = found.get(index, 0) | _TAINTED
        return found

    def _suspect_pairs(
        self, texts: Sequence[str], data: bytes, places: Places, entries: Entries, found: dict[int, int]
    ) -> None:
        """Look for what needs a separator in those texts that have one, if they are few."""
        chosen: dict[int, None] = {}
        for separator in _SEPARATORS:
            at = data.find(separator)
            while at >= 0:
                index, following = places.at(at)
                if at + len(separator) + 1 < following:  # at the end of a text no value follows it
                    chosen[index] = None
                at = data.find(separator, following if index in chosen else at + 1)
            if len(chosen) * 4 > len(texts):
                lower = data.lower()
                _look(lower, lower, places, entries, found)
                return
        if chosen:
            few = [texts[index] for index in chosen]
            plane = "\0".join(few).encode("latin-1", "replace").lower()
            within: dict[int, int] = {}
            _look(plane, plane, Places(few), entries, within)
            for number, index in enumerate(chosen):
                if number in within:
                    found[index] = found.get(index, 0) | within[number]

    def rewrite(self, text: str, bits: int, taint: Taint | None = None) -> tuple[str, list[str]]:
        """A text with its secrets replaced, and the ids of the rules that did it, each once."""
        ids: dict[str, None] = {}
        if bits & _TAINTED and taint:
            text, hit = taint.replace(text)
            if hit:
                ids[REQUEST] = None
        for _ in range(_ROUNDS):
            spans = [
                span
                for number, rule in enumerate(self._rules)
                if bits >> number & 1
                for span in rule.spans(text, self._keys)
            ]
            if spans:
                text, done = _replace(text, spans)
                ids.update(dict.fromkeys(done))
            else:
                done = []
            if not done:
                break
            bits = self.suspects([text]).get(0, 0)
        return text, list(ids)


# One of these stands behind every key in a text: its separator, the quote in front of one, or the dashes of an option.
_SEPARATORS = (b"=", b":", b">", b"%3", b"',", b'",', b"--", b" '", b' "', b"\t")


def _look(plane: bytes, checked: bytes, places: Places, entries: Entries, found: dict[int, int]) -> None:
    """Add the texts in which a gate is found. `checked` is what a gate's own check is made on."""
    find = plane.find
    for literal, verify, bits in entries:
        at, step = find(literal), len(literal)
        while at >= 0:
            if verify is not None and verify.match(checked, at) is None:
                at = find(literal, at + (step if literal.count(literal[:1]) == step else 1))  # out of a run of one
                continue
            index, following = places.at(at)
            found[index] = found.get(index, 0) | bits
            at = find(literal, following)


_TAINTED = 1 << 200  # beyond any number of rules


def _replace(text: str, spans: Iterable[tuple[int, int, str]]) -> tuple[str, list[str]]:
    """The text with each span replaced; what overlaps is replaced together, and what is replaced already stays."""
    kept = [match.start() for match in _PLACEHOLDER.finditer(text)]
    pieces: list[str] = []
    ids: list[str] = []
    position = 0
    merged: list[tuple[int, int, str]] = []
    for start, end, rule in sorted(spans):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            if end > before[1]:
                merged[-1] = (before[0], end, before[2])
        elif not kept or not _within(kept, start, end):
            merged.append((start, end, rule))
    for start, end, rule in merged:
        pieces += (text[position:start], FILTERED)
        position = end
        ids.append(rule)
    pieces.append(text[position:])
    return "".join(pieces), ids


_PLACEHOLDER = re.compile(re.escape(FILTERED))


def _within(kept: list[int], start: int, end: int) -> bool:
    """Whether a span lies in one of the placeholders that begin at these places."""
    index = bisect_right(kept, start) - 1
    return index >= 0 and end <= kept[index] + len(FILTERED)
