"""What the names in one text mean, each decided once.

A text may have thousands of names, most of them the same few. What is no word of ours is not
remembered beyond the text (see `keys.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.keys import Keys

__all__ = ["Meanings", "Name"]


class Meanings:
    """Keys, as far as one text asks for them.

    Args:
        keys: what names mean.
    """

    __slots__ = ("_keys", "_met", "counts", "describes", "find_stem", "spares")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._met: dict[str, int] = {}
        self.counts = keys.counts
        self.describes = keys.describes
        self.find_stem = keys.find_stem
        self.spares = keys.spares

    def meaning(self, name: str) -> int:
        """What a name means."""
        known = self._met.get(name)
        if known is None:
            known = self._met[name] = self._keys.meaning(name)
        return known


class Name(NamedTuple):
    """A name in a text that says something, and what follows it."""

    verdict: int
    start: int
    name: str
    dashes: str
    closing: str
    spaces: str
    separator: str
    end: int  # behind the separator
