"""Which of many keys may say something: those that have a stem of a term in them.

All keys are joined and looked at together, by Hyperscan where it is installed and ready, and else
by one pattern; what either tells is at least every key that says something.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing import terms
from asgi_sentry._scrubbing.text.expressions import ANY, Expression
from asgi_sentry._scrubbing.text.scanner import Scanner, is_installed
from asgi_sentry._scrubbing.words import alternatives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_STEMS = tuple(terms.STEMS.split())
_ENDS = tuple(terms.STEM_ENDS.split())
_END = "(?![a-z])"
_ANYTHING, _EVERYWHERE = re.compile(r"[^\W_]"), re.compile(b"")
_LOWER = bytes(range(256)).lower()
_has_digit = re.compile(r"\d").search
_FEW = 12  # keys, of which the pattern tells sooner
_LONG = 1000  # characters of a text, of which Hyperscan tells sooner


class Stems:
    """The stems of some terms.

    Args:
        own: of the terms that were given, beside the default ones.

    Attributes:
        find: searches a text in lower case for what every key that says something has in it.
    """

    __slots__ = ("_digits", "_find_in_bytes", "_literals", "_scanner", "_starts", "find")

    def __init__(self, own: tuple[str, ...]) -> None:
        # Letters beyond ASCII have cases that fold in surprising ways: a term with such letters
        # looks at every key.
        everything = not all(map(str.isascii, own))
        # Without digits, of which there are many in generated keys.
        self._digits = b"" if everything or any(map(_has_digit, own)) else b"0123456789"
        self._scanner: Scanner | None = None
        self._starts: Scanner | None = None
        self._literals: list[bytes] = []
        if everything:
            self.find, self._find_in_bytes = _ANYTHING.search, _EVERYWHERE.search
            return
        stems = {*_STEMS, *own}
        ends = [stem + _END for stem in _ENDS]
        self.find = re.compile("|".join((*alternatives(sorted(stems)), *ends))).search
        # "cc" is a word where there are no digits, or begins "ccnum".
        plain = sorted({*filter(str.isascii, stems), "ccn"} - {"cc"})
        pattern = "|".join((*alternatives(plain), "cc" + _END, *ends))
        self._find_in_bytes = re.compile(pattern.encode()).search
        if is_installed():
            self._literals = [stem.encode() for stem in (*filter(str.isascii, stems), *_ENDS)]
            self._scanner = Scanner(lambda: _expressions(plain, ("cc", *_ENDS)))
            self._starts = Scanner(lambda: _expressions(filter(str.isascii, stems), _ENDS))

    # Four milliseconds each.
    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, own: tuple[str, ...]) -> Stems:
        """The stems of these terms, the same for all who ask."""
        return cls(own)

    def ready(self) -> bool:
        """Wait until Hyperscan is ready, where it is installed; whether it is."""
        return all(one is not None and one.ready() for one in (self._scanner, self._starts))

    def following(self, text: str) -> Callable[[int], int]:
        """What tells where the next stem begins, at some place of a text or behind; -1 for nowhere.

        Args:
            text: in lower case.
        """
        starts = self._found(text) if len(text) > _LONG and text.isascii() else None
        if starts is None:
            find = self.find

            def searched(place: int) -> int:
                match = find(text, place)
                return -1 if match is None else match.start()

            return searched
        last = len(starts)

        def known(place: int) -> int:
            index = bisect_left(starts, place)
            return starts[index] if index < last else -1

        return known

    def _found(self, text: str) -> list[int] | None:
        """Where stems begin in a text, by Hyperscan; None where it does not tell."""
        if self._starts is None:
            return None
        try:
            data, literals = text.encode("ascii"), self._literals
            ends = self._starts.ends(data)
            if ends is None:
                return None
            found = set()
            for end, which in ends:
                literal = literals[which]
                # What ends a word may be in the match.
                found.add(data.rfind(literal, end - len(literal) - 1, end))
            return sorted(found)
        except Exception:  # a fault of ours: the pattern tells the same
            return None

    def suspects(self, keys: list[str]) -> Iterable[int]:
        """The indices of keys that have a stem in them, by one search over all of them."""
        joined = "\0".join(keys)
        if joined.count("\0") >= len(keys):  # a key has this character itself
            return range(len(keys))
        data = joined.encode("latin-1", "replace").translate(_LOWER, self._digits)
        found = self._scanned(data) if len(keys) > _FEW else None
        if found is None:
            found = self._searched(data)
        if not joined.isascii():  # letters beyond have cases that fold in surprising ways
            found.update(index for index, key in enumerate(keys) if not key.isascii())
        return found

    def _scanned(self, data: bytes) -> set[int] | None:
        """By Hyperscan; None where it does not tell."""
        if self._scanner is None:
            return None
        try:
            ends = self._scanner.ends(data)
            if ends is None:
                return None
            found = set()
            index = counted = 0
            for end, _ in sorted(ends):
                index += data.count(b"\0", counted, end - 1)
                counted = end - 1
                found.add(index)
            return found
        except Exception:  # a fault of ours: the other way tells the same
            return None

    def _searched(self, data: bytes) -> set[int]:
        found: set[int] = set()
        index = position = 0
        while (match := self._find_in_bytes(data, position)) is not None:
            index += data.count(b"\0", position, match.start())
            found.add(index)
            end = data.find(b"\0", match.start())
            if end < 0:
                break
            index, position = index + 1, end + 1
        return found


def _expressions(stems: Iterable[str], ends: Iterable[str]) -> list[Expression]:
    """What Hyperscan looks for: stems, and words that end so."""
    return [
        *(Expression(re.escape(stem).encode(), ANY) for stem in stems),
        *(Expression(f"{stem}(?:[^a-z]|$)".encode(), ANY) for stem in ends),
    ]
