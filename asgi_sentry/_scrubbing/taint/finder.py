"""Where values stand in a text, in whatever form they are written.

A text is brought to normal form (`normal.py`), the values are looked for there, and in what base64
in it decodes to. Each step is linear in the text, however many values there are.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.taint.normal import normal
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asgi_sentry._scrubbing.taint.gate import Gate

    Span = tuple[int, int]

_SHORTEST = 4  # characters of a value in normal form
_GRAM = 6
_FEW = 8  # values that are searched for one by one
_SAMPLED = 48  # places of a value that are tried for one by which no other is known
# So many characters of a long value are still it, at the end of a text that was cut off there.
_CUT = 8
_MOST_CUTS, _LONGEST_CUT = 16, 1024
_SHORT = 8  # a value of fewer characters is found as a whole word only

_LINES = re.compile(r"[A-Za-z0-9+/_-]{40,76}(?:\r?\n[ \t]{0,8}[A-Za-z0-9+/_-]{1,76})+={0,2}")
_TO_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
_ENDS_CUT = re.compile("\\.\\.\\.|\u2026")
_RUNS = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPES = frozenset("%\\&")
_JOINS = frozenset("-@_")
# What is left of a character of latin-1 in UTF-8 where the cut was within it.
_BEGINS, _ENDS = "\xc2\xc3", "".join(map(chr, range(0x80, 0xC0)))


class _Value(NamedTuple):
    text: str  # in normal form, as it is compared
    strength: int
    in_path: bool  # a parameter of the path: slashes bound it


class Finder:
    """Finds values.

    Args:
        raw: the values as they came in, each with how sure it is that it is a secret, and whether
            it stands in the request's own path.
        gate: of the values.
    """

    __slots__ = ("_few", "_gate", "_grams", "_heads", "_literal", "_longest", "_tails")

    def __init__(self, raw: Mapping[str, tuple[int, bool]], gate: Gate) -> None:
        self._gate = gate
        found: dict[str, _Value] = {}
        for text, (sure, is_in_path) in raw.items():
            for form in {text, text.encode("utf-8", "surrogatepass").decode("latin-1")}:
                compared = normal(form).compared.strip()
                if len(compared) >= _SHORTEST and compared not in found:
                    found[compared] = _Value(compared, sure, is_in_path)
        # Longest first, so that a value within another does not leave the rest of the other
        # standing.
        ordered = sorted(found.values(), key=lambda value: (-len(value.text), value.text))
        if len(ordered) <= _FEW:
            self._few = tuple(ordered)
        else:
            self._few = tuple(v for v in ordered if len(v.text) < _GRAM)
        # Of a value with what looks like an escape in it, an escape's end may be its neighbour.
        self._literal = tuple(text for text in raw if not _ESCAPES.isdisjoint(text))[:_FEW]
        self._grams: dict[str, list[tuple[_Value, int]]] = {}
        if len(ordered) > _FEW:
            self._index(ordered)
        self._heads: dict[str, list[_Value]] = {}
        self._tails: dict[str, list[_Value]] = {}
        for one in ordered:
            if len(one.text) > _CUT and one.strength != WEAK:
                self._heads.setdefault(one.text[:_CUT], []).append(one)
                self._tails.setdefault(one.text[-_CUT:], []).append(one)
        longest = max((len(one.text) for one in ordered), default=0)
        self._longest = min(longest, _LONGEST_CUT)  # how far a value that was cut off may reach

    def _index(self, ordered: list[_Value]) -> None:
        """Know each value by some letters of it, by which few others are known."""
        grams = self._grams
        for value in ordered:
            text, best, rarest = value.text, 0, None
            if len(text) < _GRAM:
                continue
            for at in range(min(len(text) - _GRAM + 1, _SAMPLED)):
                known = len(grams.get(text[at : at + _GRAM], ()))
                if rarest is None or known < rarest:
                    best, rarest = at, known
                    if not known:
                        break
            grams.setdefault(text[best : best + _GRAM], []).append((value, best))

    def spans(self, text: str, least: int) -> list[Span]:
        """Where the values are that are sure enough; some places may lie in others."""
        shown = normal(text)
        compared = shown.compared
        spans = [*self._found(compared, least), *self._cut_off(compared, least)]
        for start, end in self._runs_of_base64(shown.text):
            is_cut = shown.text[end : end + 1] in {".", "\u2026"}
            if self._is_encoded(shown.text[start:end], least, cut=is_cut):
                spans.append((start, end))
        found = [shown.span(start, end) for start, end in spans]
        if shown.origin is not None and least < STRONG:
            found += self._literally(text)
        return found

    def _literally(self, text: str) -> Iterator[Span]:
        """Where values stand as they are."""
        for value in self._literal:
            at = text.find(value)
            while at >= 0:
                yield at, at + len(value)
                at = text.find(value, at + len(value))

    def _found(self, compared: str, least: int) -> Iterator[Span]:
        """Where values stand in a text in normal form."""
        for value in self._few:
            if value.strength >= least:
                at = compared.find(value.text)
                while at >= 0:
                    end = at + len(value.text)
                    if _stands_alone(compared, at, end, value):
                        yield at, end
                        at = compared.find(value.text, end)
                    else:
                        at = compared.find(value.text, at + 1)
        grams = self._grams
        if not grams:
            return
        behind = 0
        for at in range(len(compared) - _GRAM + 1):
            candidates = grams.get(compared[at : at + _GRAM])
            if candidates is None or at < behind:
                continue
            for value, offset in candidates:
                start = at - offset
                end = start + len(value.text)
                if (
                    start >= 0
                    and value.strength >= least
                    and compared.startswith(value.text, start)
                    and _stands_alone(compared, start, end, value)
                ):
                    yield start, end
                    behind = end
                    break

    def _cut_off(self, compared: str, least: int) -> Iterator[Span]:
        """Where the beginning of a value stands in front of dots, or the end of one behind them."""
        for number, mark in enumerate(_ENDS_CUT.finditer(compared)):
            if number >= _MOST_CUTS:
                return
            yield from self._beginning(compared, mark.start(), least)
            end = mark.end()
            for at in range(end, min(end + self._longest, len(compared)) - _CUT + 1):
                for value in self._tails.get(compared[at : at + _CUT], ()):
                    stop = at + _CUT
                    if value.strength >= least and value.text.endswith(
                        compared[end:stop].lstrip(_ENDS)
                    ):
                        yield end, stop

    def _beginning(self, compared: str, end: int, least: int) -> Iterator[Span]:
        if not self._heads or end < _CUT:
            return
        for at in range(max(0, end - self._longest), end - _CUT + 1):
            for value in self._heads.get(compared[at : at + _CUT], ()):
                if value.strength >= least and value.text.startswith(
                    compared[at:end].rstrip(_BEGINS)
                ):
                    yield at, end
                    return

    def _runs_of_base64(self, text: str) -> Iterator[Span]:
        """What may be base64 with a value in it, one line or several."""
        if "\n" in text:
            yield from (match.span() for match in _LINES.finditer(text))
        places = self._gate.places_of_base64(text)
        if places:
            following = iter(places)
            place = next(following, -1)
            for match in _RUNS.finditer(text):
                while 0 <= place < match.start():
                    place = next(following, -1)
                if place < 0:
                    return
                if place < match.end():
                    yield match.span()

    def _is_encoded(self, run: str, least: int, *, cut: bool) -> bool:
        """Whether a run of base64 has a value in it, wherever in the run the base64 begins."""
        data = run.translate(_TO_STANDARD).rstrip("=")
        for first in range(4):
            piece = data[first:]
            if len(piece) % 4 == 1:
                piece = piece[: len(piece) // 4 * 4]
            else:
                piece = piece + "=" * (-len(piece) % 4)
            try:
                decoded = binascii.a2b_base64(piece)
            except ValueError:
                continue
            plain = decoded.decode("latin-1")
            compared = normal(plain).compared
            if any(self._found(compared, least)) or any(self._literally(plain)):
                return True
            if cut and any(self._beginning(compared, len(compared), least)):
                return True
        return False


def _stands_alone(text: str, start: int, end: int, value: _Value) -> bool:
    """Whether a value that is a word is not part of another one."""
    if value.strength == STRONG or (value.strength == MEDIUM and end - start >= _SHORT):
        return True
    before, behind = text[start - 1 : start], text[end : end + 1]
    if before.isalnum() or behind.isalnum():
        return False
    if value.strength == MEDIUM:
        return True
    if value.in_path:
        return before not in _JOINS and behind not in _JOINS
    if before in _JOINS or behind in _JOINS or before == "/" or behind == "/":
        return False
    is_dotted = (before == "." and text[start - 2 : start - 1].isalnum()) or (
        behind == "." and text[end + 1 : end + 2].isalnum()
    )
    return not is_dotted
