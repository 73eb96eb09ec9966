"""One gate: a literal that every match of a rule has in it, and how one is looked for."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Entry = tuple[bytes, re.Pattern[bytes] | None, int]  # a literal, its check, rules as bits

__all__ = [
    "NO_SEPARATORS",
    "RUN",
    "SEPARATOR",
    "SHAPE",
    "Gate",
    "Places",
    "core_of",
    "has_behind",
    "look",
    "look_at_runs",
    "words_of",
]

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
# What stands behind a word of a gate, be it a key or a scheme: a separator, a space, or an escape.
# All else is deleted.
NO_SEPARATORS = bytes(set(range(1, 256)) - set(b"=:<>{}()[],%+\\\t\n\r\v\f \xa0\x1b|"))
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
    return bool(data.translate(None, NO_SEPARATORS))


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


def look_at_runs(
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
