"""One gate: a literal that every match of a rule has in it, and how one is looked for."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BEHIND",
    "NOTHING",
    "RUN",
    "SEPARATED",
    "SHAPE",
    "Beside",
    "Gate",
    "Places",
    "core_of",
    "has_behind",
    "is_separated",
    "look",
    "look_at_runs",
    "rarest",
    "words_of",
]

_UPPER, _LOWER, _DIGITS = (
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"abcdefghijklmnopqrstuvwxyz",
    b"0123456789",
)
SHAPE = bytes.maketrans(_UPPER + _LOWER + _DIGITS, b"A" * 26 + b"a" * 26 + b"0" * 10)
RUN = bytes(0x61 if bytes([i]).isalnum() or i in b"_-" else 0x20 for i in range(256))
_WORDS = bytes(byte if byte in _LOWER else 0x20 for byte in range(256))
# What stands behind a word of a gate, be it a key or a scheme: a separator, a space, or an escape.
# All else is deleted.
_NO_SEPARATORS = bytes(set(range(1, 256)) - set(b"=:<>{}()[],%+\\\t\n\r\v\f \xa0\x1b|"))
_VAIN = 32  # checks in vain, beyond which a search of the whole check is quicker
# One of these stands behind every key in a text, with something behind itself: its separator, the
# quote in front of one, or the dashes of an option. A value without any is told by its letters,
# which are looked for first: nearly all texts have none of these.
_SEPARATOR = re.compile(
    r"[=:>\t\n|].|%3.|--.|['\"](?:,.|(?<=[ (].).|(?<=[ (]b.).)",
    re.DOTALL,
)
_HOP = re.compile(
    r"[A-Z0-9](?:(?<=[a-z].)|(?<=[A-Z])[0-9]|(?<=[0-9])[A-Za-z]|(?<=[A-Z])[A-Z][a-z]"
    r"|(?<=[A-Za-z][._!#$%^&*@+-][0-9]))"
)
_VALUE = re.compile(
    r"[ -][^\s=:]{0,60}(?:[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z]{2}[a-z]|[A-Z][0-9]"
    r"|[A-Za-z][._!#$%^&*@+-][0-9])"
)
_LETTERS = re.compile(rb"[a-z]+")
_FEWEST = 3  # letters of a word in a literal, unless it begins with them
# A literal's rarest character is looked for first: one is found many times faster than several in a
# row.
_COMMON = b" etaoinsrlcdup_mf.g,h'b:y/wv=0-1xk2()\"3456789jqzTSACEPIRNDMOLFUBGHVWKYXJQZ"

# What a text must have in it besides a gate: nothing, what may stand behind a word, or a separator
# as well.
NOTHING, BEHIND, SEPARATED = range(3)


class Gate(NamedTuple):
    """A literal that every match of a rule has in it, as seen through a mask."""

    # "text": as it is; "lower"; "shape": A, a, 0 for a capital, a letter, a digit; "run": a for
    # what tokens are made of "pair": as "lower", and only where a separator stands somewhere in the
    # text
    mask: str
    literal: bytes
    verify: re.Pattern[bytes] | None = None  # on the masked text, where the literal was found

    @property
    def word(self) -> bytes:
        """What is looked for in texts in lower case together with other words; maybe nothing.

        The longest word of a literal, with what stands behind it.
        """
        if self.mask in {"pair", "lower"}:
            return self.literal
        if self.mask != "text":
            return b""
        lower = self.literal.lower()
        longest = max(_LETTERS.findall(lower), key=len, default=b"")
        is_first = len(longest) > 1 and lower.startswith(longest)
        if not is_first and len(longest) < _FEWEST:
            return b""
        return lower[lower.find(longest) :]

    @property
    def sign(self) -> bytes:
        """By what a literal of several characters, of which none are a word, is looked for."""
        is_sign = self.mask == "text" and len(self.literal) > 1 and not self.word
        return rarest(self.literal) if is_sign else b""

    @property
    def asked(self) -> int:
        """What a text must have in it besides."""
        if self.mask == "pair":
            return SEPARATED
        return BEHIND if self.mask == "lower" else NOTHING

    @property
    def step(self) -> int:
        """How far to go on where the literal was found in vain.

        Out of a run of one sign, or by one.
        """
        length = len(self.literal)
        if self.mask != "pair" and self.literal.count(self.literal[:1]) == length:
            return length
        return 1


def words_of(data: bytes) -> bytes:
    """The words of some text in lower case, each once and without digits."""
    return b" ".join(set(data.translate(_WORDS, _DIGITS).split()))


def core_of(literal: bytes) -> bytes:
    """The longest word of a literal in lower case: it is in the words of each text that has it."""
    core = max(literal.translate(_WORDS, _DIGITS).split(), key=len, default=b"")
    return core if len(core) > 1 else b""


def rarest(literal: bytes) -> bytes:
    """The rarest character of a literal."""
    at = max(range(len(literal)), key=lambda at: _COMMON.find(literal[at]) % 256)
    return literal[at : at + 1]


def is_separated(text: str) -> bool:
    """Whether something stands in a text that stands behind every key."""
    if _SEPARATOR.search(text) is not None:
        return True
    return _HOP.search(text) is not None and _VALUE.search(text) is not None


def has_behind(data: bytes) -> bool:
    """Whether something stands in a text that may stand behind a word."""
    return bool(data.translate(None, _NO_SEPARATORS))


class Beside:
    """What each of several texts has in it besides gates, told when it is asked for."""

    __slots__ = ("_known", "_texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._known: dict[int, int] = {}

    def of(self, index: int) -> int:
        """The most that a gate can ask for and is there: one of `NOTHING` to `SEPARATED`."""
        known = self._known.get(index)
        if known is None:
            text = self._texts[index]
            known = NOTHING
            if has_behind(text.encode("latin-1", "replace")):
                known = SEPARATED if is_separated(text) else BEHIND
            self._known[index] = known
        return known


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


def look(
    gate: Gate, bits: int, plane: bytes, checked: bytes, places: Places, found: dict[int, int]
) -> None:
    """Add the texts in which a gate is found.

    Args:
        gate: which.
        bits: its rules.
        plane: all texts through its mask.
        checked: on which its own check is made.
        places: which text a place lies in.
        found: takes the rules by the index of the text.
    """
    _, literal, verify = gate
    find = plane.find
    at, vain, step = find(literal), 0, gate.step
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
            at = find(literal, at + step)
            continue
        index, following = places.at(at)
        found[index] = found.get(index, 0) | bits
        at = find(literal, following)


def _begins_with(verify: re.Pattern[bytes], literal: bytes) -> bool:
    """Whether the check of a gate is found by its literal, other than a run of one character."""
    escaped = re.escape(literal)
    is_run = len(literal) > 1 and literal.count(literal[:1]) == len(literal)
    return not is_run and verify.pattern.startswith((escaped, b"(?:" + escaped + b")"))


def look_at_runs(
    gate: Gate, bits: int, plane: bytes, checked: bytes, places: Places, found: dict[int, int]
) -> None:
    """The same for runs of what tokens are made of, each of which is checked once, as a whole."""
    _, literal, verify = gate
    find = plane.find
    at = find(literal)
    while at >= 0:
        if verify is not None and verify.match(checked, at) is None:
            end = find(b" ", at)
            at = find(literal, end) if end >= 0 else -1
            continue
        index, following = places.at(at)
        found[index] = found.get(index, 0) | bits
        at = find(literal, following)
