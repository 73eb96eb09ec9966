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

    __slots__ = ("_met", "keys")

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._met: dict[str, int] = {}

    def meaning(self, name: str) -> int:
        """What a name means."""
        known = self._met.get(name)
        if known is None:
            known = self._met[name] = self.keys.meaning(name)
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
