"""What one search for many words looks for.

Such a search goes from one letter that some word begins with to the next, and is the faster the
rarer these letters are. So a word is looked for from its first letter on that is one of a few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.words import alternatives

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["heads_of", "pattern_of", "rare_start"]

_SHORTEST = 2  # characters of a word from one of the letters on
_NOTHING = "(?!)"


def rare_start(word: str, letters: str) -> int:
    """Where the part of a word begins that is looked for.

    Args:
        word: which.
        letters: those that parts begin with, if the word has one of them in it.
    """
    starts = range(len(word) - _SHORTEST + 1)
    return next((at for at in starts if word[at] in letters), 0)


def heads_of(parts: Iterable[str]) -> list[str]:
    """Those of some texts that do not begin with another one of them."""
    heads: list[str] = []
    for part in sorted(set(parts)):
        if not heads or not part.startswith(heads[-1]):
            heads.append(part)
    return heads


def pattern_of(heads: Iterable[str]) -> str:
    """A pattern of any of these."""
    return "|".join(alternatives(heads)) or _NOTHING
