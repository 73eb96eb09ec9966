"""Who is asked about a text, told by signs: one search over the text tells of all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

from asgi_sentry._scrubbing.text.rare import heads_of, pattern_of, rare_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BySign"]

T = TypeVar("T")

_LETTERS = "bcdfghkpuvwy"  # which cost least, as measured


class BySign(Generic[T]):
    """Some who are asked about texts, each with signs of which one must be there.

    Args:
        each: texts in lower case, of which one must be in a text, and who is asked about it then;
            without any, about all texts.
    """

    __slots__ = ("_always", "_by_head", "_marks", "_search")

    def __init__(self, each: Sequence[tuple[Sequence[str], T]]) -> None:
        self._always = [asked for signs, asked in each if not signs]
        signed = [(sign, asked) for signs, asked in each for sign in signs]
        self._marks = [(sign, asked) for sign, asked in signed if len(sign) == 1]
        longer = [(sign, asked) for sign, asked in signed if len(sign) > 1]
        parts = [(sign[rare_start(sign, _LETTERS) :], sign, asked) for sign, asked in longer]
        heads = heads_of(part for part, _, _ in parts)
        self._search = re.compile(pattern_of(heads)).findall
        self._by_head = {
            head: [(sign, asked) for part, sign, asked in parts if _may_be_in(part, head)]
            for head in heads
        }

    def of(self, lower: str) -> Iterable[T]:
        """Who is asked about a text, each once.

        Args:
            lower: the text, in lower case.
        """
        chosen: dict[T, None] = dict.fromkeys(self._always)
        for mark, asked in self._marks:
            if mark in lower:
                chosen[asked] = None
        for head in dict.fromkeys(self._search(lower)):
            for sign, asked in self._by_head[head]:
                if asked not in chosen and sign in lower:
                    chosen[asked] = None
        return chosen


def _may_be_in(part: str, head: str) -> bool:
    """Whether a sign's part may stand where a head was found, or begin within it.

    The search goes on behind the head, and does not see it.
    """
    return any(part.startswith(head[at:]) or head.startswith(part, at) for at in range(len(head)))
