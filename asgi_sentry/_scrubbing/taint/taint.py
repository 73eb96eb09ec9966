"""Values that are secret, found in texts in whatever form they are written.

Texts that can't hold one are told by the gate, which is all that most requests need. In the others
the values are looked for (`finder.py`), and what is found is replaced where it stands in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.taint.finder import Finder
from asgi_sentry._scrubbing.taint.gate import Gate
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK, is_weak, strength
from asgi_sentry._scrubbing.text.pairs import FILTERED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    Span = tuple[int, int]

REQUEST = "@request"  # the id for what is scrubbed because it came in with the request
# And for what may have come in with the part of the request that nobody looked at.
UNKNOWN = "@unknown"
MIN_LENGTH = 6
MAX_VALUES, _MAX_CHARACTERS = 512, 262_144


def _split(text: str) -> list[str]:
    return text.split()


# What stands in many places by itself: taking it for a secret would blank out what it is not.
_COMMON = frozenset(
    _split(
        """undefined unknown default password passwd secret token session cookie bearer basic digest
    authorization
    anonymous application/json application/x-www-form-urlencoded multipart/form-data text/plain
    text/html
    production staging development testing localhost 127.0.0.1 keep-alive no-cache max-age=0
    identity chunked
    upgrade websocket exception request response message content status string number object boolean
    integer
    function handler method header headers params values python sentry django fastapi starlette
    litestar uvicorn
    [filtered] filtered redacted [redacted] required optional enabled disabled success failure
    failed denied
    username example example.com test@example.com xmlhttprequest"""
    )
) | {
    "gzip, deflate",
    "gzip, deflate, br",
    "text/html; charset=utf-8",
    "application/json; charset=utf-8",
}

_OPAQUE = re.compile(r"[^\s\"'`<>(){}\[\],;=]{6,}")
_ADDRESS = re.compile(r"0x[0-9a-f]+\Z")


class _Search:
    """What finds values; one for each taint that has the same (3 ms for 512 of them).

    Both parts are made when they are first asked: what is kept of a request that has failed rarely
    is.
    """

    __slots__ = ("_finder", "_gate", "_raw")

    def __init__(self, raw: dict[str, tuple[int, bool]]) -> None:
        self._raw = raw
        self._gate: Gate | None = None
        self._finder: Finder | None = None

    @property
    def gate(self) -> Gate:
        if self._gate is None:
            self._gate = Gate(self._raw)
        return self._gate

    @property
    def finder(self) -> Finder:
        if self._finder is None:
            self._finder = Finder(self._raw, self.gate)
        return self._finder


class Taint:
    """Secrets by value. Immutable; never shows them.

    Args:
        values: the secrets.
        in_path: those that stand in the request's own path under a name that is denied.
        unknown: whether there may be more of them that are not known by value.
    """

    __slots__ = ("_raw", "_search", "_strongest", "unknown")

    def __init__(
        self, values: Iterable[str] = (), *, in_path: Iterable[str] = (), unknown: bool = False
    ) -> None:
        self._raw: dict[str, tuple[int, bool]] = {}
        self._add(
            [*((value, True) for value in in_path), *((value, False) for value in values)],
            unknown=unknown,
        )

    def _add(self, values: Iterable[tuple[str, bool]], *, unknown: bool) -> None:
        """Take in values, each with whether it stands in the path.

        Once: afterwards it is immutable.
        """
        raw = self._raw
        room = _MAX_CHARACTERS - sum(map(len, raw))
        for value, is_in_path in values:
            text = value.strip()
            if len(text) < MIN_LENGTH or text.lower() in _COMMON or len(set(text)) < 2:
                continue
            if text in raw:
                continue
            room -= len(text)
            if len(raw) >= MAX_VALUES or room < 0:
                unknown = True
                break
            raw[text] = (strength(text), is_in_path)
        self.unknown: bool = unknown
        self._search = _Search(raw)
        self._strongest = max((sure for sure, _ in raw.values()), default=WEAK)

    def and_more(self, values: Iterable[str]) -> Taint:
        """The same with more values."""
        more = object.__new__(Taint)
        more._raw = dict(self._raw)
        more._add([(value, False) for value in values], unknown=self.unknown)
        if len(more._raw) == len(self._raw):  # there was no room for more
            more._search = self._search
        return more

    @classmethod
    def joined(cls, taints: Iterable[Taint]) -> Taint:
        """What is secret of any of these, and looks like it: for what may be about each of them.

        A word that one client sent must not be replaced in what is about another's request, or
        about none.
        """
        raw = (taint._raw for taint in taints)  # noqa: SLF001 - of the same class
        values = dict.fromkeys(
            value for each in raw for value, (sure, _) in each.items() if sure != WEAK
        )
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
        """Whether keys may hold a value.

        Most are the app's own words, so it has to be more than a word.
        """
        return self._strongest >= MEDIUM

    def __bool__(self) -> bool:
        return bool(self._raw) or self.unknown

    def __repr__(self) -> str:
        return f"<Taint of {len(self._raw)} values>"

    def __reduce__(self) -> str:
        raise TypeError("a Taint holds secrets and is not pickled")

    def knows(self, value: str) -> bool:
        """Whether a value is one of these, and is found wherever it stands."""
        known = self._raw.get(value)
        return known is not None and not known[1]

    def found_in(
        self, texts: Collection[str], *, least: int = WEAK, known: set[str] | None = None
    ) -> dict[str, str]:
        """Those of several texts that hold a value, each with what is left of it.

        Args:
            texts: each once.
            least: how sure it must be that a value is a secret: WEAK, MEDIUM or STRONG.
            known: takes the texts in which a value stands that is known.
        """
        if least > self._strongest and not self.unknown:
            return {}
        each = list(texts)
        joined = "\0".join(each)
        chosen = each if self.unknown else self._through(each, joined)
        if not self.unknown and self._strongest != WEAK and ("..." in joined or "\u2026" in joined):
            chosen += [text for text in each if text.endswith(_CUT_ENDS)]
        found = {}
        judged: dict[str, bool] = {}
        for text in chosen:
            left, hit = self.replace(text, least=least, judged=judged, known=known)
            if hit:
                found[text] = left
        return found

    def replace(
        self,
        text: str,
        *,
        least: int = WEAK,
        judged: dict[str, bool] | None = None,
        known: set[str] | None = None,
    ) -> tuple[str, bool]:
        """The text with every value replaced in whatever form, and whether there was one.

        Args:
            text: which.
            least: as in `found_in`.
            judged: which words may be secrets, as far as they were met in other texts; it takes
                those of this one, and is not kept.
            known: as in `found_in`.
        """
        before = text
        judged = {} if judged is None else judged
        finder = self._search.finder
        for number in range(3):  # what is left may join to another
            if number and not self.unknown and not self._may_hold(text):
                break
            spans = finder.spans(text, least)
            words = _opaque(text, judged) if self.unknown and least < STRONG else []
            if not spans and not words:
                break
            if spans and not number and known is not None:
                known.add(text)
            text = _replaced(text, [*spans, *words])
            if not spans:  # whole words are gone, and nothing is left that may join
                break
        return text, text != before

    def _may_hold(self, text: str) -> bool:
        """Whether a value, or a part of one that was cut off, may be in a text."""
        return "..." in text or "\u2026" in text or bool(self._through((text,), text))

    def _through(self, texts: Sequence[str], joined: str) -> list[str]:
        """The texts that may hold a value, of several that are joined in one."""
        return self._search.gate.let_through(texts, joined)


_CUT_ENDS = ("...", "...'", '..."', "\u2026", "\u2026'", '\u2026"')


def _opaque(text: str, judged: dict[str, bool]) -> list[Span]:
    """Words that may be secrets, for all that is known."""
    may_be = False
    for word in set(_OPAQUE.findall(text)):
        known = judged.get(word)
        if known is None:
            known = judged[word] = _may_be_secret(word.strip(".:!?*#-"))
        may_be = may_be or known
    if not may_be:
        return []
    return [match.span() for match in _OPAQUE.finditer(text) if judged[match[0]]]


def _may_be_secret(word: str) -> bool:
    if not word or word == FILTERED.strip("[]") or _ADDRESS.match(word):
        return False
    return not is_weak(word)


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
