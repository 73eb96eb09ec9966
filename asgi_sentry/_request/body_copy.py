"""A bounded copy of what the app reads of its request's body."""

from __future__ import annotations

from typing import Any

# Small pieces are gathered in one buffer and frozen at this size, so that neither the objects of a body that comes
# byte by byte nor a growing buffer's spare room (an eighth of it) add more than a few KB to what is kept.
_PIECE = 16_384


class BodyCopy:
    """The first `limit` bytes of a body. What is over is neither kept nor pinned in memory."""

    __slots__ = ("_buffer", "_limit", "_pieces", "size", "truncated")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._buffer = bytearray()
        self.size = 0
        self.truncated = False

    def feed(self, message: Any) -> None:
        """Look at a message that the app receives."""
        if message["type"] != "http.request":
            return
        body = message.get("body")
        if not body:
            return
        room = self._limit - self.size
        if len(body) > room:
            self.truncated = True
            if room <= 0:
                return
            body = body[:room]  # a copy: the whole chunk may be a hundred times what is kept of it
        self.size += len(body)
        if (not self._pieces and not self._buffer) or len(body) >= _PIECE:
            self._freeze()
            self._pieces.append(bytes(body))  # no copy where it is bytes, as ASGI has it
            return
        self._buffer += body
        if len(self._buffer) >= _PIECE:
            self._freeze()

    def _freeze(self) -> None:
        if self._buffer:
            self._pieces.append(bytes(self._buffer))
            self._buffer.clear()

    def read(self) -> bytes:
        """What was kept so far."""
        return b"".join([*self._pieces, bytes(self._buffer)])
