"""Which of many texts may hold one of many values.

One look at the texts, however many values there are. Every escape leaves plain letters and digits
alone, so the longest run of them in a value, its *core*, stands in each of its forms but for
base64, of which there are three, by how the value lies in it. A few cores are searched for one by
one, which is fastest; many together by the letters they begin with.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RUN = re.compile(r"[A-Za-z0-9]+")
_SHORTEST, _LENGTH = 4, 8  # characters of a core
_FEW = 48  # cores that are searched for one by one
_URLSAFE = str.maketrans("+/", "-_")
_URLSAFE_BYTES = bytes.maketrans(b"+/", b"-_")
# Of a run whose first characters in base64 are those of the run alone, however it lies in it.
_SHORTEST_ENCODED = 7
# By which a line may be broken within a piece of base64, or a text be cut off.
_BREAKS = re.compile(r"[\n\r\\]|%(?:25){0,20}0[ADad]|&#|\.\.\.|\u2026")
# What stands in front of a value in base64, by its length modulo three, and how many characters
# hold bits of it.
_ALIGNMENTS = ((b"", 0), (b"\0", 2), (b"\0\0", 3))


class _Cores:
    """Texts of which some are looked for in others."""

    __slots__ = ("few", "grams")

    def __init__(self, cores: set[str]) -> None:
        self.few = tuple(cores) if len(cores) <= _FEW else ()
        self.grams: dict[int, set[str]] = {}
        if not self.few:
            for core in cores:
                length = _LENGTH if len(core) >= _LENGTH else min(_SHORTEST, len(core))
                self.grams.setdefault(length, set()).add(core[:length])

    def are_in(self, text: str) -> bool:
        """Whether one of them is in a text."""
        if self.few:
            return any(core in text for core in self.few)
        return any(
            not grams.isdisjoint([text[at : at + length] for at in range(len(text) - length + 1)])
            for length, grams in self.grams.items()
        )

    def places(self, text: str) -> list[int]:
        """Where in a text they are."""
        found: list[int] = []
        for core in self.few:
            at = text.find(core)
            while at >= 0:
                found.append(at)
                at = text.find(core, at + 1)
        for length, grams in self.grams.items():
            found += [at for at in range(len(text) - length + 1) if text[at : at + length] in grams]
        return sorted(found)


class Gate:
    """Cores of values.

    Args:
        values: as they came in.
    """

    __slots__ = ("_awkward", "_base64", "_cores")

    def __init__(self, values: Iterable[str]) -> None:
        cores: set[str] = set()
        encoded: set[str] = set()
        # Whether a value has no core, so that each text with an escape may hold it.
        self._awkward = False
        for value in values:
            run = _longest_run(value)
            if len(run) >= _SHORTEST:
                cores.add(run[:_LENGTH])
            else:
                self._awkward = True
                cores.add(value)
            encoded.update(_of_base64(run if len(run) > _SHORTEST else value))
            if len(run) <= _SHORTEST:
                encoded.update(_of_base64(json.dumps(value)[1:-1]))
        self._base64 = _Cores(encoded)
        self._cores = _Cores(cores | encoded)

    def let_through(self, texts: Sequence[str], joined: str) -> list[str]:
        """The texts that may hold a value.

        Args:
            texts: each once.
            joined: all of them in one.
        """
        cores = self._cores
        if self._awkward:
            return [text for text in texts if _is_escaped(text) or cores.are_in(text)]
        if not cores.few:
            if cores.grams:
                return [text for text in texts if cores.are_in(text)]
            return []
        present = [core for core in cores.few if core in joined]
        if present:
            return [text for text in texts if any(core in text for core in present)]
        return []

    def places_of_base64(self, text: str) -> list[int]:
        """Where in a text a value may stand in base64."""
        return self._base64.places(text)


def may_hold(joined: str, values: Iterable[str]) -> bool:
    """Whether any of a few values may stand in texts, in whatever form.

    It says so more often than a `Gate`, and never where the gate does not: for texts of which most
    hold none, such as those of a usual transaction, at a tenth of its cost.

    Args:
        joined: the texts in one.
        values: each of six characters or more.
    """
    if _BREAKS.search(joined):
        return True
    data = joined.encode("utf-8", "surrogatepass")
    encode = binascii.b2a_base64
    for value in values:
        run = _longest_run(value)
        if len(run) < _SHORTEST_ENCODED:
            return True
        raw = run.encode()
        first = encode(raw)[:_LENGTH]
        second = encode(b"\0" + raw)[2 : 2 + _LENGTH]
        third = encode(b"\0\0" + raw)[3 : 3 + _LENGTH]
        if raw[:_LENGTH] in data or first in data or second in data or third in data:
            return True
        if not (first + second + third).isalnum() and any(
            piece.translate(_URLSAFE_BYTES) in data for piece in (first, second, third)
        ):
            return True
    return False


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
