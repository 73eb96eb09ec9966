"""A bounded copy of what the app reads of its request's body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Small pieces are gathered in one buffer and frozen at this size, so that neither the objects of a
# body that comes byte by byte nor a growing buffer's spare room (an eighth of it) add more than a
# few KB to what is kept.
_PIECE = 16_384


class BodyCopy:
    """The first `limit` bytes of a body.

    What is over is neither kept nor pinned in memory, but counted.

    Args:
        limit: in bytes.
        boundary: gives the boundary of a multipart body, None for another. It is asked when the
            limit is reached: then the end of the part that is cut is looked for, since a file's
            size is to be its own.

    Attributes:
        size: how much was kept.
        length: how much was read.
        truncated: whether that is more.
        part_end: where in the body the part ends that was cut; None where that is not known.
    """

    __slots__ = (
        "_boundary",
        "_buffer",
        "_limit",
        "_mark",
        "_pieces",
        "_tail",
        "length",
        "part_end",
        "size",
        "truncated",
    )

    def __init__(self, limit: int, boundary: Callable[[], bytes | None] = lambda: None) -> None:
        self._limit = limit
        self._boundary = boundary
        self._pieces: list[bytes] = []
        self._buffer = bytearray()
        self._mark: bytes | None = None  # what is looked for yet
        self._tail = b""  # of what has been looked through, in which a mark may have begun
        self.size = self.length = 0
        self.truncated = False
        self.part_end: int | None = None

    def feed(self, message: Any) -> None:
        """Look at a message that the app receives."""
        if message["type"] != "http.request":
            return
        body = message.get("body")
        if not body:
            return
        room = self._limit - self.size
        if len(body) > room:
            self._pass_over(body)
            if room <= 0:
                return
            body = body[:room]  # a copy: the whole chunk may be a hundred times what is kept of it
        else:
            self.length += len(body)
        self.size += len(body)
        if (not self._pieces and not self._buffer) or len(body) >= _PIECE:
            self._freeze()
            self._pieces.append(bytes(body))  # no copy where it is bytes, as ASGI has it
            return
        self._buffer += body
        if len(self._buffer) >= _PIECE:
            self._freeze()

    def _pass_over(self, body: bytes) -> None:
        """Count a piece of which not all is kept, and look for the end of the part that is cut."""
        start = self.length
        self.length += len(body)
        if not self.truncated:
            self.truncated = True
            boundary = self._boundary()
            if boundary is not None:
                self._mark = b"\n--" + boundary
                self._tail = self.read()[1 - len(self._mark) :]
        mark = self._mark
        if mark is None:
            return
        overlap = len(mark) - 1
        # One that ends before the limit closes a part that is kept whole.
        first = self._limit - overlap
        before = start - len(self._tail)
        for piece, at in ((self._tail + body[:overlap], before), (body, start)):
            found = piece.find(mark, max(0, first - at))
            if found >= 0:
                self.part_end, self._mark = at + found, None
                return
        self._tail = (self._tail + body[-overlap:])[-overlap:]

    def _freeze(self) -> None:
        if self._buffer:
            self._pieces.append(bytes(self._buffer))
            self._buffer.clear()

    def read(self) -> bytes:
        """What was kept so far."""
        return b"".join([*self._pieces, bytes(self._buffer)])
