"""The secrets of a request's head, as far as a usual transaction needs to know of them.

It mostly holds none of them, which a few searches tell. Only where one may be there, the request's
`Taint` is made, and says where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.taint.gate import may_hold, pieces_of
from asgi_sentry._scrubbing.taint.taint import MIN_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable


class RawTaint:
    """Secrets by value, each of which counts wherever it may stand. Never shows them.

    Args:
        values: of the head.
    """

    __slots__ = ("_pieces", "_values")
    unknown = False  # whether there may be more of them that are not known by value
    in_keys = True  # whether keys may hold one

    def __init__(self, values: Iterable[str]) -> None:
        self._values = set(values)
        self._pieces: tuple[bytes, ...] | None = None  # once they are looked for

    def __bool__(self) -> bool:
        return bool(self._values)

    def __repr__(self) -> str:
        return f"<RawTaint of {len(self._values)} values>"

    def __reduce__(self) -> str:
        raise TypeError("a RawTaint holds secrets and is not pickled")

    def knows(self, value: str) -> bool:
        """Whether a value is one of these."""
        return value in self._values

    def found_in(self, texts: Iterable[str]) -> bool:
        """Whether one of them may be in any of several texts. A `Taint` tells for certain."""
        pieces = self._pieces
        if pieces is None:  # what hooks changed is looked at once more
            values = [value for value in self._values if len(value) >= MIN_LENGTH]
            pieces = self._pieces = pieces_of(values)
        return may_hold("\0".join(texts), pieces)
