"""Which of many texts may hold one of many values.

One look at the texts, however many values there are. Every escape leaves plain letters and digits
alone, so the longest run of them in a value, its *core*, stands in each of its forms but for
base64, of which there are three, by how the value lies in it. A few cores are searched for one by
one, which is fastest; many together, four letters at a time (`fours.py`).
"""

from __future__ import annotations

import binascii
import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.taint.fours import Fours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RUN = re.compile(r"[A-Za-z0-9]+")
_SHORTEST, _LENGTH = 4, 8  # characters of a core
_FEW = 48  # cores that are searched for one by one
_one_more = (1).__add__  # for what joins a text to the next one
_URLSAFE = str.maketrans("+/", "-_")
_URLSAFE_BYTES = bytes.maketrans(b"+/", b"-_")
# Of a run whose first characters in base64 are those of the run alone, however it lies in it.
_SHORTEST_ENCODED = 7
# By which a line may be broken within a piece of base64, or a text be cut off.
_PLAIN = "(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])"  # the number of a plain letter or digit
_ENCODED_BREAK = re.compile(rf"%(?:25){{0,20}}(?:0[ADad]|{_PLAIN})")
# Plain letters and digits are escaped by whoever escapes all there is; each way has one pattern.
_ALL_ESCAPED = (
    ("%", re.compile(rf"(?:%(?:25){{0,20}}{_PLAIN}){{4}}")),
    ("\\u00", re.compile(rf"(?:\\u00{_PLAIN}\\{{0,7}}){{4}}")),
    ("\\x", re.compile(rf"(?:\\x{_PLAIN}\\{{0,7}}){{4}}")),
    ("&#", re.compile(r"(?:&#(?:\d{2,3}|[xX][0-9A-Fa-f]{2});){4}")),
)
# What stands in front of a value in base64, by its length modulo three, and how many characters
# hold bits of it.
_ALIGNMENTS = ((b"", 0), (b"\0", 2), (b"\0\0", 3))


class _Cores:
    """Texts of which some are looked for in others."""

    __slots__ = ("_fours", "_known", "_lengths", "few")

    def __init__(self, cores: set[str]) -> None:
        is_few = len(cores) <= _FEW or min(map(len, cores)) < _SHORTEST
        self.few = tuple(cores) if is_few else ()
        self._fours: Fours | None = None
        self._known: set[str] = set()
        self._lengths: list[int] = []
        if not is_few:
            self._known = {core[:_LENGTH] for core in cores}
            self._lengths = sorted(set(map(len, self._known)))
            self._fours = Fours(self._known)

    def are_in(self, text: str) -> bool:
        """Whether one of them is in a text; of long ones, the beginning."""
        if self._fours is None:
            return any(core in text for core in self.few)
        known, lengths = self._known, self._lengths
        return any(
            text[at : at + length] in known for at in self._fours.begin(text) for length in lengths
        )

    def places(self, text: str) -> list[int]:
        """Where in a text they are."""
        if self._fours is not None:
            known, lengths = self._known, self._lengths
            return [
                at
                for at in self._fours.begin(text)
                if any(text[at : at + length] in known for length in lengths)
            ]
        found: list[int] = []
        for core in self.few:
            at = text.find(core)
            while at >= 0:
                found.append(at)
                at = text.find(core, at + 1)
        return sorted(found)


class Gate:
    """Cores of values.

    Args:
        values: as they came in.
    """

    __slots__ = ("_awkward", "_base64", "_cores", "_encoded", "_plain")

    def __init__(self, values: Iterable[str]) -> None:
        self._plain: set[str] = set()
        self._encoded: set[str] = set()
        # Whether a value has no core, so that each text with an escape may hold it.
        self._awkward = False
        for value in values:
            run = _longest_run(value)
            if len(run) >= _SHORTEST:
                self._plain.add(run[:_LENGTH])
            else:
                self._awkward = True
                self._plain.add(value)
            self._encoded.update(_of_base64(run if len(run) > _SHORTEST else value))
            if len(run) <= _SHORTEST:
                self._encoded.update(_of_base64(json.dumps(value)[1:-1]))
        # Each is made when it is first asked: where values are known that are too many, only one
        # is (4 ms for 512 of them).
        self._base64: _Cores | None = None
        self._cores: _Cores | None = None

    def let_through(self, texts: Sequence[str], joined: str) -> list[str]:
        """The texts that may hold a value.

        Args:
            texts: each once.
            joined: all of them in one, with one character between two.
        """
        through = self._with_cores(texts, joined)
        if _is_all_escaped(joined):
            chosen = set(through)
            through += [text for text in texts if text not in chosen and _is_all_escaped(text)]
        return through

    def _with_cores(self, texts: Sequence[str], joined: str) -> list[str]:
        cores = self._cores
        if cores is None:
            cores = self._cores = _Cores(self._plain | self._encoded)
        if self._awkward:
            return [text for text in texts if _is_escaped(text) or cores.are_in(text)]
        if not cores.few:
            return _held(texts, cores.places(joined))
        return _holding(texts, joined, [core for core in cores.few if core in joined])

    def places_of_base64(self, text: str) -> list[int]:
        """Where in a text a value may stand in base64."""
        if self._base64 is None:
            self._base64 = _Cores(self._encoded)
        return self._base64.places(text)


def _holding(texts: Sequence[str], joined: str, cores: Sequence[str]) -> list[str]:
    """The texts that hold one of some cores, each of which stands in all of them together.

    A core has nothing in it that joins two texts. Behind a text in which it was found the search
    goes on with the next one, so that each core costs one search of the whole.
    """
    if not cores:
        return []
    ends = list(accumulate(map(_one_more, map(len, texts))))
    holding: set[int] = set()
    for core in cores:
        at = joined.find(core)
        while at >= 0:
            index = bisect_right(ends, at)
            holding.add(index)
            at = joined.find(core, ends[index])
    return [texts[index] for index in sorted(holding)]


def _held(texts: Sequence[str], places: list[int]) -> list[str]:
    """The texts in which some places are, of which each is one in all of them together."""
    held: list[str] = []
    start, number = 0, 0
    for text in texts:
        end = start + len(text)
        while number < len(places) and places[number] < start:
            number += 1
        if number == len(places):
            break
        if places[number] < end:
            held.append(text)
        start = end + 1
    return held


def pieces_of(values: Iterable[str]) -> tuple[bytes, ...]:
    """Of which a text that holds one of a few values has one, for `may_hold`.

    Args:
        values: each of six characters or more.
    """
    pieces: list[bytes] = []
    encode = binascii.b2a_base64
    for value in values:
        run = _longest_run(value)
        if len(run) < _SHORTEST_ENCODED:
            return (b"",)  # which is in all texts
        raw = run.encode()
        pieces += (
            raw[:_LENGTH],
            encode(raw)[:_LENGTH],
            encode(b"\0" + raw)[2 : 2 + _LENGTH],
            encode(b"\0\0" + raw)[3 : 3 + _LENGTH],
        )
    if pieces and not b"".join(pieces).isalnum():
        pieces += {piece.translate(_URLSAFE_BYTES) for piece in pieces}.difference(pieces)
    return tuple(pieces)


def may_hold(joined: str, pieces: Iterable[bytes]) -> bool:
    """Whether any of a few values may stand in texts, in whatever form.

    It says so more often than a `Gate`, and never where the gate does not: for texts of which most
    hold none, such as those of a usual transaction, at a tenth of its cost.

    Args:
        joined: the texts in one.
        pieces: of the values (`pieces_of`).
    """
    if _has_breaks(joined):
        return True
    return True in map(joined.encode("utf-8", "surrogatepass").__contains__, pieces)


def _has_breaks(joined: str) -> bool:
    """Whether a line may be broken, or a text cut off, within a piece of base64.

    Sign by sign: one pattern of all of them takes ten times as long, which is a third of the
    whole question.
    """
    return (
        "\n" in joined
        or "\r" in joined
        or "\\" in joined
        or "&#" in joined
        or "..." in joined
        or "\u2026" in joined
        or ("%" in joined and _ENCODED_BREAK.search(joined) is not None)
    )


def _is_all_escaped(text: str) -> bool:
    """Whether even the plain letters of a part of a text are escaped."""
    return any(sign in text and escaped.search(text) for sign, escaped in _ALL_ESCAPED)


def _is_escaped(text: str) -> bool:
    return "%" in text or "\\" in text or "&" in text or "+" in text


def _longest_run(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    return max(_RUN.findall(text), key=len, default="")


def _of_base64(value: str) -> Iterable[str]:
    """Two pieces of the base64 of a value, for each way it can lie.

    Of the value it is the run that no escape within changes. A line may end within one of the two.
    """
    raw = value.encode("utf-8", "surrogatepass")
    pieces: list[str] = []
    for before, first in _ALIGNMENTS:
        # The last character holds bits of the neighbour behind.
        last = (len(before) + len(raw)) * 8 // 6
        encoded = binascii.b2a_base64(before + raw, newline=False)[first:last].decode()
        pieces += (encoded[:_LENGTH], encoded[-_LENGTH:])
    if "".join(pieces).isalnum():
        return pieces
    return [*pieces, *[piece.translate(_URLSAFE) for piece in pieces]]
