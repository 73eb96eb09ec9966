"""The words of a key, and patterns that look for several of them at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A word: a run of capitals (an acronym) up to a capitalised word, a word with or without its
# capital, digits, or a run of letters of a script without case.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


def words(key: str) -> list[str]:
    """The words of a key, folded: `userPassword2` gives `user`, `password`, `2`."""
    return [word.lower() for word in _WORD.findall(key)]


def compact(term: str) -> str:
    """The words of a term put together, which is how terms are compared."""
    return "".join(words(term))


def trie(stems: Iterable[str]) -> str:
    """An alternation of literals that looks at each character once."""
    parts = alternatives(stems)
    if len(parts) == 1:
        return parts[0]
    return f"(?:{'|'.join(parts)})"


def alternatives(stems: Iterable[str]) -> list[str]:
    """The same as its branches.

    Only where each of them begins with a letter does a search skip all others.
    """
    branches: dict[str, set[str]] = {}
    for stem in stems:
        if not stem:
            return [""]  # whatever follows, this branch has matched
        branches.setdefault(stem[0], set()).add(stem[1:])
    return [re.escape(first) + trie(sorted(rest)) for first, rest in sorted(branches.items())]


MAX_RUN = 5  # words in the longest term, and one to spare


def term_ends(named: list[str], start: int) -> range:
    """Where a term may end that begins at a word."""
    return range(start + 1, min(len(named), start + MAX_RUN) + 1)


def runs(parts: list[str]) -> set[str]:
    """Some words that follow each other, put together, in each way there is."""
    found = set(parts)
    for start, first in enumerate(parts):
        run = first
        for part in parts[start + 1 : start + MAX_RUN]:
            run += part
            found.add(run)
    return found


def heads(alternatives: str) -> str:
    """A pattern of words in either case, at the head of a run.

    A search is ten times as fast for a pattern whose first characters are known.
    """
    each = alternatives.split("|")
    first = "".join(sorted({word[0] for word in each}))
    rest = "|".join(f"(?<={word[0]}){word[1:]}" for word in each)
    return rf"[{first}{first.upper()}](?<![\w-].)(?i:{rest})"
