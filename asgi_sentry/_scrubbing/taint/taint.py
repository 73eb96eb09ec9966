"""Values that are secret, found in texts in whatever form they are written.

Texts that can't hold one are told by the gate. The others are brought to normal form (`normal.py`), the values are
looked for there, and in what base64 in them decodes to, and what is found is replaced where it stands in the text.
Each step is linear in the text, however many values there are.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.taint.gate import Gate
from asgi_sentry._scrubbing.taint.normal import normal
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK, strength
from asgi_sentry._scrubbing.text.pairs import FILTERED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    Span = tuple[int, int]

REQUEST = "@request"  # the id for what is scrubbed because it came in with the request
UNKNOWN = "@unknown"  # and for what may have come in with the part of the request that nobody looked at
MIN_LENGTH = 6
_SHORTEST = 4  # the same in normal form
MAX_VALUES, _MAX_CHARACTERS = 512, 262_144
_GRAM = 6
_FEW = 8  # values that are searched for one by one
_SAMPLED = 48  # places of a value that are tried for one by which no other is known
_CUT = 8  # so many characters of a long value are still it, at the end of a text that was cut off there
_MOST_CUTS, _LONGEST_CUT = 16, 1024
_SHORT = 8  # a value of fewer characters is found as a whole word only


def _split(text: str) -> list[str]:
    return text.split()


# What stands in many places by itself: taking it for a secret would blank out what it is not.
_COMMON = frozenset(
    _split(
        """undefined unknown default password passwd secret token session cookie bearer basic digest authorization
    anonymous application/json application/x-www-form-urlencoded multipart/form-data text/plain text/html
    production staging development testing localhost 127.0.0.1 keep-alive no-cache max-age=0 identity chunked
    upgrade websocket exception request response message content status string number object boolean integer
    function handler method header headers params values python sentry django fastapi starlette litestar uvicorn
    [filtered] filtered redacted [redacted] required optional enabled disabled success failure failed denied
    username example example.com test@example.com xmlhttprequest"""
    )
) | {"gzip, deflate", "gzip, deflate, br", "text/html; charset=utf-8", "application/json; charset=utf-8"}

_LINES = re.compile(r"[A-Za-z0-9+/_-]{40,76}(?:\r?\n[ \t]{0,8}[A-Za-z0-9+/_-]{1,76})+={0,2}")
_TO_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
_ENDS_CUT = re.compile("\\.\\.\\.|\u2026")
_RUNS = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPES = frozenset("%\\&")
_OPAQUE = re.compile(r"[^\s\"'`<>(){}\[\],;=]{6,}")
_ADDRESS = re.compile(r"0x[0-9a-f]+\Z")


class _Value(NamedTuple):
    text: str  # in normal form, as it is compared
    strength: int
    in_path: bool  # a parameter of the path: slashes bound it


class Taint:
    """Secrets by value. Immutable; never shows them.

    Args:
        values: the secrets.
        in_path: those that stand in the request's own path under a name that is denied.
        unknown: whether there may be more of them that are not known by value.
    """

    __slots__ = ("_few", "_gate", "_grams", "_heads", "_literal", "_longest", "_raw", "_strongest", "_tails", "unknown")

    def __init__(self, values: Iterable[str] = (), *, in_path: Iterable[str] = (), unknown: bool = False) -> None:
        raw: dict[str, bool] = {}
        room = _MAX_CHARACTERS
        for value, is_in_path in [*((value, True) for value in in_path), *((value, False) for value in values)]:
            text = value.strip()
            if len(text) < MIN_LENGTH or text.lower() in _COMMON or len(set(text)) < 2:
                continue
            if text in raw:
                continue
            room -= len(text)
            if len(raw) >= MAX_VALUES or room < 0:
                unknown = True
                break
            raw[text] = is_in_path
        self.unknown: bool = unknown
        self._raw = tuple(raw)
        self._gate = Gate(raw)
        found: dict[str, _Value] = {}
        for text, is_in_path in raw.items():
            sure = strength(text)
            for form in {text, text.encode("utf-8", "surrogatepass").decode("latin-1")}:
                compared = normal(form).compared.strip()
                if len(compared) >= _SHORTEST and compared not in found:
                    found[compared] = _Value(compared, sure, is_in_path)
        # Longest first, so that a value within another does not leave the rest of the other standing.
        ordered = sorted(found.values(), key=lambda value: (-len(value.text), value.text))
        self._few = tuple(ordered) if len(ordered) <= _FEW else tuple(v for v in ordered if len(v.text) < _GRAM)
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
        self._strongest = max((one.strength for one in ordered), default=WEAK)

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

    @classmethod
    def joined(cls, taints: Iterable[Taint]) -> Taint:
        """What is secret of any of these, and looks like it: for what may be about each of them.

        A word that one client sent must not be replaced in what is about another's request, or about none.
        """
        raw = (taint._raw for taint in taints)  # noqa: SLF001 - of the same class
        values = dict.fromkeys(value for each in raw for value in each if strength(value) != WEAK)
        return cls(values).known

    @property
    def known(self) -> Taint:
        """Only the values that are known."""
        if not self.unknown:
            return self
        known = object.__new__(Taint)
        for name in self.__slots__:
            setattr(known, name, getattr(self, name))
        known.unknown = False
        return known

    @property
    def in_keys(self) -> bool:
        """Whether keys may hold a value: most are the app's own words, so it has to be more than a word."""
        return self._strongest >= MEDIUM

    def __bool__(self) -> bool:
        return bool(self._raw) or self.unknown

    def __repr__(self) -> str:
        return f"<Taint of {len(self._raw)} values>"

    def __reduce__(self) -> str:
        raise TypeError("a Taint holds secrets and is not pickled")

    def found_in(self, texts: Collection[str], *, least: int = WEAK) -> dict[str, str]:
        """Those of several texts that hold a value, each with what is left of it.

        Args:
            texts: each once.
            least: how sure it must be that a value is a secret: WEAK, MEDIUM or STRONG.
        """
        if least > self._strongest and not self.unknown:
            return {}
        each = list(texts)
        joined = "\0".join(each)
        chosen = each if self.unknown else self._gate.let_through(each, joined)
        if not self.unknown and self._heads and ("..." in joined or "\u2026" in joined):
            chosen += [text for text in each if text.endswith(_CUT_ENDS)]
        found = {}
        for text in chosen:
            left, hit = self.replace(text, least=least)
            if hit:
                found[text] = left
        return found

    def replace(self, text: str, *, least: int = WEAK) -> tuple[str, bool]:
        """The text with every value replaced in whatever form, and whether there was one."""
        before = text
        for number in range(3):  # what is left may join to another
            if number and not self.unknown and not self._may_hold(text):
                break
            spans = self._spans(text, least)
            if self.unknown and least < STRONG:
                spans += _opaque(text)
            if not spans:
                break
            text = _replaced(text, spans)
        return text, text != before

    def _may_hold(self, text: str) -> bool:
        """Whether a value, or a part of one that was cut off, may be in a text."""
        return "..." in text or "\u2026" in text or bool(self._gate.let_through((text,), text))

    # --- where they are ------------------------------------------------------------------------------------------

    def _spans(self, text: str, least: int) -> list[Span]:
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
                    if value.strength >= least and value.text.endswith(compared[end:stop]):
                        yield end, stop

    def _beginning(self, compared: str, end: int, least: int) -> Iterator[Span]:
        if not self._heads or end < _CUT:
            return
        for at in range(max(0, end - self._longest), end - _CUT + 1):
            for value in self._heads.get(compared[at : at + _CUT], ()):
                if value.strength >= least and value.text.startswith(compared[at:end]):
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
            piece = piece[: len(piece) // 4 * 4] if len(piece) % 4 == 1 else piece + "=" * (-len(piece) % 4)
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


_CUT_ENDS = ("...", "...'", '..."', "\u2026", "\u2026'", '\u2026"')
_JOINS = frozenset("-@_")


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


def _opaque(text: str) -> list[Span]:
    """Words that may be secrets, for all that is known."""
    spans = []
    for match in _OPAQUE.finditer(text):
        word = match[0].strip(".:!?*#-")
        if word and word != FILTERED.strip("[]") and not _ADDRESS.match(word) and strength(word) != WEAK:
            spans.append(match.span())
    return spans


def _replaced(text: str, spans: list[Span]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if end <= position:
            continue
        if start < position or (pieces and start == position):
            position = end  # it is one with the one before
            continue
        pieces += (text[position:start], FILTERED)
        position = end
    pieces.append(text[position:])
    return "".join(pieces)
