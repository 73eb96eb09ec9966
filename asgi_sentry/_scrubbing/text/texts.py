"""Value rules over many texts at once.

Nearly every text is harmless, so what counts is how fast that is told. All texts are joined and looked at together:
each gate, a literal that every match of a rule has in it, is one search over the whole, and only texts in which one is
found are looked at singly. Gates of letters are searched for only where a word of the texts has them in it. Masks make
classes of characters one: digits are 0 in the mask "shape", so that `0000` finds four digits in a row.

Most variables of a program look the same each time but for their numbers and addresses, and no gate asks which digit
one is. So texts without any gate are remembered for a while by what they look like with all digits 0.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.keys import trie
from asgi_sentry._scrubbing.text.rules import FILTERED, Gate, Rule, gates_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asgi_sentry._scrubbing.keys import Keys

    Hits = dict[str, tuple[str, list[str]]]  # what is left of a text, and the ids of the rules that did it
    Entry = tuple[bytes, re.Pattern[bytes] | None, int]  # a literal, its check, rules as bits

_UPPER, _LOWER, _DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz", b"0123456789"
_SHAPE = bytes.maketrans(_UPPER + _LOWER + _DIGITS, b"A" * 26 + b"a" * 26 + b"0" * 10)
_RUN = bytes(0x61 if bytes([i]).isalnum() or i in b"_-" else 0x20 for i in range(256))
_OF = {"shape": _SHAPE, "run": _RUN}
_WORDS = bytes(
    byte | 0x20 if byte in _UPPER + _LOWER else 0x20 for byte in range(256)
)  # without digits: they make none
_ROUNDS = 4  # a redaction may complete another match ("a [Filtered]@b" ...); each round leaves less to find
# A gate's rarest character is looked for first: one is found many times faster than several in a row.
_COMMON = b" etaoinsrlcdup_mf.g,h'b:y/wv=0-1xk2()\"3456789jqzTSACEPIRNDMOLFUBGHVWKYXJQZ"

# What texts are remembered by: all digits 0, and one character for the address in a repr and for an id. Addresses and
# ids are words of their own, an address is too short for a token, and their letters make no gate. Behind a percent sign
# two digits are a character, so there they count.
_ALL_ZERO = bytes(0x30 if byte in _DIGITS else byte for byte in range(256))
_ADDRESS, _AN_ADDRESS = re.compile(rb"0x(?<![\w-]0x)[0-9a-f]{8,13}(?![\w-])"), b"\1"
_ID = re.compile(
    rb"(?<![\w.:+~%-])(?<![0-9A-Z]/)(?=[0-9-]{0,40}[a-f])"
    rb"(?:[0-9a-f]{16,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}-[0-9a-f]{16}(?:-[0-9])?)(?![\w.:+~-])"
)
_AN_ID = b"\2"
_ESCAPED = b"\3"  # in front of what a text with percent signs is remembered by
_OUTSIDE_IDS = re.compile(r"(?![0-9a-fx-]+\Z)[A-Za-z_-]+\Z")  # a literal that can't lie in one, nor at its edge

# What stands behind a word of a gate, be it a key or a scheme: a separator, a space, or an escape. All else is deleted.
_NO_SEPARATORS = bytes(set(range(1, 256)) - set(b"=:<>{}()[],%+\\\t\n\r\v\f \xa0\x1b"))

# How much is remembered before it begins anew.
_KNOWN_CHARACTERS, _KNOWN_LENGTH = 1_000_000, 1000
_REMEMBERED = 300  # of one look: more than these that nobody has met are a flood of what nobody will meet again
_KNOWN_WORDS, _KNOWN_WORD = 10_000, 24


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


class Look(NamedTuple):
    """What was found in several texts.

    Attributes:
        hits: the texts with something to redact, with what becomes of them.
        harmless: texts that had to be looked at and were found harmless, each with what it may be remembered by.
        dashed: whether a text may be a command-line option.
    """

    hits: Hits
    harmless: list[tuple[str, str | bytes]]
    dashed: bool


class TextRules:
    """The rules of one scrubber, ready to be applied to texts.

    Args:
        rules: which.
        keys: what the keys in a text mean.
    """

    __slots__ = (
        "_always", "_characters", "_cores", "_find_core", "_gates", "_harmless_words", "_keys", "_known",
        "_rules", "_shapes_hold", "_words",
    )  # fmt: skip

    def __init__(self, rules: Sequence[Rule], keys: Keys) -> None:
        self._rules = tuple(rules)
        self._keys = keys
        self._known: set[str | bytes] = set()  # what harmless texts look like, and texts that just looked suspicious
        self._characters = 0  # in these
        # Whether no gate asks which digit one is, or which letter of an id: those of this package don't.
        self._shapes_hold = all(_OUTSIDE_IDS.match(literal) for rule in rules for literal in rule.literals)
        self._harmless_words: set[bytes] = set()  # words with no core in them
        self._words: dict[bytes, tuple[bytes, ...]] = {}  # words with one or more
        self._always = 0
        gates: dict[Gate, int] = {}
        for number, rule in enumerate(rules):
            own = gates_of(rule, keys)
            if not own:
                self._always |= 1 << number
            for gate in own:
                gates[gate] = gates.get(gate, 0) | 1 << number
        # By mask and by what is looked for first; what is in letters, by the longest word in it.
        self._gates: dict[str, dict[bytes, list[Entry]]] = {"text": {}, "lower": {}, "shape": {}, "run": {}}
        self._cores: dict[bytes, list[tuple[Entry, bool]]] = {}
        for (mask, literal, verify), bits in gates.items():
            entry = (literal, verify, bits)
            core = max(literal.translate(_WORDS).split(), key=len, default=b"")
            if mask == "pair" or (mask == "lower" and len(core) > 1):
                self._cores.setdefault(core, []).append((entry, mask == "pair"))
            else:
                self._gates[mask].setdefault(_first(mask, literal), []).append(entry)
        self._find_core = re.compile(trie([core.decode() for core in self._cores]).encode()).search

    def look(self, texts: set[str], *, new_keys: Collection[str] = ()) -> Look:
        """Apply the rules to texts, each once.

        Args:
            texts: values.
            new_keys: of containers, as far as nobody has met them, so that the rules have not seen them yet.
        """
        each = list(texts)
        joined = "\0".join(each)
        data = joined.encode("latin-1", "replace")  # one byte a character, so that places stay what they are
        suspects: dict[str, int] = {}
        looked_at: list[tuple[str, bytes]] = []
        shapes = self._shapes(data, len(each))
        if shapes is None:
            suspects = self._suspects(each, data)
        else:
            looked_at = self._unknown(each, shapes)
            if looked_at:
                suspects = self.suspects([text for text, _ in looked_at])
        if new_keys:
            suspects.update(self.suspects(list(new_keys)))
        hits = {}
        for text, bits in suspects.items():
            left, ids = self._rewrite(text, bits)
            if ids:
                hits[text] = (left, ids)
        harmless = [(text, text if text in suspects else shape) for text, shape in looked_at if text not in hits]
        return Look(hits, harmless, dashed=data[:1] == b"-" or b"\0-" in data)

    def _shapes(self, data: bytes, count: int) -> list[bytes] | None:
        """What each text may be remembered by, but for its ids; None if that can't be told, or all are too long."""
        if len(data) > _KNOWN_LENGTH * count or not self._shapes_hold:
            return None
        if _AN_ADDRESS in data or _AN_ID in data or _ESCAPED in data:
            return None
        shapes = _ADDRESS.sub(_AN_ADDRESS, data).translate(_ALL_ZERO).split(b"\0")
        return shapes if len(shapes) == count else None  # else a text has this character itself

    def _unknown(self, texts: Sequence[str], shapes: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """Those of the texts that nobody has met the like of, each with what it may be remembered by."""
        known = self._known
        unknown = [
            (text, shape) for text, shape in zip(texts, shapes, strict=True) if shape not in known and text not in known
        ]
        if not 0 < len(unknown) <= _REMEMBERED:
            return unknown
        others = [_escaped(text) if b"%" in shape else shape for text, shape in unknown]
        without_ids = _ID.sub(_AN_ID, b"\0".join(others)).split(b"\0")
        return [(text, shape) for (text, _), shape in zip(unknown, without_ids, strict=True) if shape not in known]

    def remember(self, look: Look, secret: set[str]) -> None:
        """Keep what was found harmless, but for texts that are secret where they stand, and for options."""
        for text, known_by in look.harmless[:_REMEMBERED]:
            if len(text) > _KNOWN_LENGTH or text in secret or (isinstance(known_by, bytes) and not _tells(known_by)):
                continue
            if known_by.__class__ is bytes or text[:1] != "-":
                self._keep(known_by)

    def _keep(self, text: str | bytes) -> None:
        self._characters += len(text)
        if self._characters > _KNOWN_CHARACTERS:
            self._known.clear()
            self._characters = 0
        self._known.add(text)

    def suspects(self, texts: Sequence[str]) -> dict[str, int]:
        """Which texts may hold something, with the rules to apply as bits."""
        return self._suspects(texts, "\0".join(texts).encode("latin-1", "replace")) if texts else {}

    def _suspects(self, texts: Sequence[str], data: bytes) -> dict[str, int]:
        found: dict[int, int] = {}  # by index
        places = Places(texts)
        if self._cores:
            self._look_for_words(texts, data, found)
        for mask, gates in self._gates.items():
            plane = (
                data if mask == "text" or not gates else data.lower() if mask == "lower" else data.translate(_OF[mask])
            )
            for first, entries in gates.items():
                if first in plane:
                    look = _look_at_runs if mask == "run" else _look
                    look(plane, data if mask == "run" else plane, places, entries, found)
        if self._always:
            return {text: found.get(index, 0) | self._always for index, text in enumerate(texts)}
        return {texts[index]: bits for index, bits in found.items()}

    def _look_for_words(self, texts: Sequence[str], data: bytes, found: dict[int, int]) -> None:
        """The gates made of letters: only those are looked for that are in some word, of texts with a separator."""
        separators = data.translate(None, _NO_SEPARATORS).split(b"\0")
        if len(separators) != len(texts):  # a text has this character itself
            separators = [b"."] * len(texts)
        chosen = [index for index, some in enumerate(separators) if some]
        if not chosen:
            return
        if len(chosen) < len(texts):
            texts = [texts[index] for index in chosen]
            data = "\0".join(texts).encode("latin-1", "replace")
        cores = self._cores_in(set(data.translate(_WORDS, _DIGITS).split()) - self._harmless_words)
        if not cores:
            return
        lower, places = data.lower(), Places(texts)
        for core in cores:
            for entry, is_pair in self._cores[core]:
                within: dict[int, int] = {}
                _look(lower, lower, places, (entry,), within)
                for index, bits in within.items():
                    if not is_pair or _SEPARATOR.search(texts[index]):
                        found[chosen[index]] = found.get(chosen[index], 0) | bits

    def _cores_in(self, words: set[bytes]) -> set[bytes]:
        """Which cores are in these words; words without any are remembered."""
        cores: set[bytes] = set()
        for word in words & self._words.keys():
            cores.update(self._words[word])
        words.difference_update(self._words)
        joined = b" ".join(words)
        match = self._find_core(joined)
        if match is None:
            self._keep_words(words)
        while match is not None:
            end = joined.find(b" ", match.end())
            end = len(joined) if end < 0 else end
            word = joined[joined.rfind(b" ", 0, match.start()) + 1 : end]
            inside = tuple(core for core in self._cores if core in word)
            cores.update(inside)
            if len(self._words) < _KNOWN_WORDS and len(word) <= _KNOWN_WORD:
                self._words[word] = inside
            match = self._find_core(joined, end)
        return cores

    def _keep_words(self, words: set[bytes]) -> None:
        if len(words) > _REMEMBERED:
            return
        if len(self._harmless_words) > _KNOWN_WORDS:
            self._harmless_words.clear()
        self._harmless_words |= {word for word in words if len(word) <= _KNOWN_WORD}

    def redacted(self, text: str) -> tuple[str, list[str]]:
        """One text with its secrets replaced, and the ids of the rules that did it."""
        bits = self._suspected(text)
        return self._rewrite(text, bits) if bits else (text, [])

    def _rewrite(self, text: str, bits: int) -> tuple[str, list[str]]:
        """A text with its secrets replaced, and the ids of the rules that did it, each once."""
        ids: dict[str, None] = {}
        for _ in range(_ROUNDS):
            spans = [
                span
                for number, rule in enumerate(self._rules)
                if bits >> number & 1
                for span in rule.spans(text, self._keys)
            ]
            if not spans:
                break
            text, done = _replace(text, spans)
            if not done:
                break
            ids.update(dict.fromkeys(done))
            bits = self._suspected(text)
            if not bits:
                break
        return text, list(ids)

    def _suspected(self, text: str) -> int:
        """The rules to apply to one text, as bits. What is left of a text often looks the same."""
        data = text.encode("latin-1", "replace")
        shapes = self._shapes(data, 1)
        unknown = [(text, None)] if shapes is None else self._unknown([text], shapes)
        if not unknown:
            return 0
        bits = self._suspects([text], data).get(text, 0)
        shape = unknown[0][1]
        if not bits and shape is not None and len(text) <= _KNOWN_LENGTH and _tells(shape):
            self._keep(shape)
        return bits


def _escaped(text: str) -> bytes:
    """What a text with percent signs is remembered by, but for its ids: the digits behind each stay."""
    first, *others = _ADDRESS.sub(_AN_ADDRESS, text.encode("latin-1", "replace")).split(b"%")
    parts = [first.translate(_ALL_ZERO), *(part[:2] + part[2:].translate(_ALL_ZERO) for part in others)]
    return _ESCAPED + b"%".join(parts)


def _tells(shape: bytes) -> bool:
    """Whether a text may be remembered by this."""
    return b"%" not in shape or shape[:1] == _ESCAPED


def _first(mask: str, literal: bytes) -> bytes:
    """What is looked for before a literal."""
    if mask in {"text", "lower"}:
        rarest = max(range(len(literal)), key=lambda at: _COMMON.find(literal[at]) % 256)
        return literal[rarest : rarest + 1]
    return b"0000" if b"0000" in literal else literal


# One of these stands behind every key in a text, with something behind itself: its separator, the quote in front of
# one, or the dashes of an option.
# A value without any is told by its letters.
_SEPARATOR = re.compile(
    r"(?:[=:>\t\n|]|%3|['\"],|--|[ (]b?['\"])."
    r"|[ -][^\s=:]{0,60}(?:[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z]{2}[a-z]|[A-Z][0-9])",
    re.DOTALL,
)


def _look(plane: bytes, checked: bytes, places: Places, entries: Iterable[Entry], found: dict[int, int]) -> None:
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
