"""Where values stand in a text, in whatever form they are written.

A text is brought to normal form (`normal.py`), the values are looked for there, and in what base64
in it decodes to. Each step is linear in the text, however many values there are.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.taint.cuts import Cuts
from asgi_sentry._scrubbing.taint.many import Many
from asgi_sentry._scrubbing.taint.normal import normal
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asgi_sentry._scrubbing.taint.gate import Gate

    Span = tuple[int, int]

_SHORTEST = 4  # characters of a value in normal form
_FEW = 8  # values that are searched for one by one
_SHORT = 8  # a value of fewer characters is found as a whole word only

_LINES = re.compile(r"[A-Za-z0-9+/_-]{40,76}(?:\r?\n[ \t]{0,8}[A-Za-z0-9+/_-]{1,76})+={0,2}")
_TO_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
_RUNS = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPES = frozenset("%\\&")
_JOINS = frozenset("-@_")


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

    __slots__ = ("_cuts", "_few", "_gate", "_known", "_literal", "_many")

    def __init__(self, raw: Mapping[str, tuple[int, bool]], gate: Gate) -> None:
        self._gate = gate
        found: dict[str, _Value] = {}
        for text, (sure, is_in_path) in raw.items():
            for form in _forms(text):
                compared = normal(form).compared.strip()
                if len(compared) >= _SHORTEST and compared not in found:
                    found[compared] = _Value(compared, sure, is_in_path)
        # Longest first, so that a value within another does not leave the rest of the other
        # standing.
        ordered = sorted(found.values(), key=lambda value: (-len(value.text), value.text))
        self._few = tuple(ordered) if len(ordered) <= _FEW else ()
        self._known = found
        self._many = Many(found) if len(ordered) > _FEW else None
        # Of a value with what looks like an escape in it, an escape's end may be its neighbour.
        self._literal = tuple(text for text in raw if not _ESCAPES.isdisjoint(text))[:_FEW]
        self._cuts: dict[int, Cuts] = {}  # made when a text is met that was cut off

    def spans(self, text: str, least: int) -> list[Span]:
        """Where the values are that are sure enough; some places may lie in others."""
        shown = normal(text)
        compared = shown.compared
        spans = [*self._found(compared, least)]
        if "..." in compared or "\u2026" in compared:
            spans += self._its_cuts(least).spans(compared)
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

    def _its_cuts(self, least: int) -> Cuts:
        """Of the values that are sure enough. A word that was cut off is another one."""
        least = max(least, MEDIUM)
        cuts = self._cuts.get(least)
        if cuts is None:
            sure = (text for text, value in self._known.items() if value.strength >= least)
            cuts = self._cuts[least] = Cuts(sure)
        return cuts

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
        many = self._many
        if many is None:
            return
        behind = 0
        for start in many.begin(compared):
            if start < behind:
                continue
            for text in many.at(compared, start):
                value, end = self._known[text], start + len(text)
                if value.strength >= least and _stands_alone(compared, start, end, value):
                    yield start, end
                    behind = end
                    break

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
            if cut and self._its_cuts(least).beginning(compared):
                return True
        return False


def _forms(text: str) -> tuple[str, ...]:
    """A value as it is, and as its normal form does not have it: dots in percent-encoding."""
    if "\u2026" not in text:
        return (text,)
    return (text, text.encode("utf-8", "surrogatepass").decode("latin-1"))


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
