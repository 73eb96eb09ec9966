"""What a host answers, read from a connection that is kept.

Nearly always it says that all is well and how long its answer is, and nothing else that would
matter here. That is read at once. Whatever else comes is the standard library's to read, whose
parser makes an e-mail's headers of those of HTTP, and takes longer than the rest of a request.
"""

from __future__ import annotations

import io
import re
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import socket

_LONGEST = 65_536  # bytes of an answer that are read; Sentry's are an id
_EARLIER, _LATER = 1.0, 0.05  # seconds by which the time that a socket waits may be off

_USUAL = re.compile(rb"HTTP/1\.1 200 [^\r\n]*\r\n(?:[\w-]+:[^\r\n]*\r\n)+\r\n")
_TELLING = re.compile(
    rb"^(content-length|connection|transfer-encoding|x-sentry-rate-limits):[ \t]*([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_KEEPS = (b"connection", b"keep-alive")
_HEADS_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\d{1,3}")  # of a body: an id


class Answer(NamedTuple):
    """What the SDK's transport looks at of a response."""

    status: int
    headers: Any  # that `get` finds whatever the case
    data: bytes

    def close(self) -> None:
        """Nothing: it was read."""


class Heads:
    """Knows the head of a host's last usual answer, which is that of the next one for a second."""

    __slots__ = ("_end", "_head")

    def __init__(self) -> None:
        self._head, self._end = b"", 0

    def usual_end(self, data: bytes) -> int:
        """The same as `usual_end`, sooner."""
        head = self._head
        if head and data.startswith(head):
            return self._end
        end = usual_end(data)
        if end:
            self._head, self._end = data[: data.index(_HEADS_END) + len(_HEADS_END)], end
        return end


def read_answer(
    sock: socket.socket, method: str, deadline: float, heads: Heads | None = None
) -> tuple[Answer, bool]:
    """The answer to a request, and whether the connection can be used again.

    Args:
        sock: from which it comes.
        method: of the request.
        deadline: until which it has to come.
        heads: of what the host answered before.

    Raises:
        OSError: nothing comes in time, or the host goes away.
        http.client.HTTPException: what comes is no HTTP.
    """
    limit(sock, deadline)
    data = sock.recv(_LONGEST)
    end = usual_end(data) if heads is None else heads.usual_end(data)
    while len(data) < end:  # its head and its body come one by one
        limit(sock, deadline)
        more = sock.recv(end - len(data))
        if not more:
            break
        data += more
    if end and len(data) == end:
        return Answer(200, {}, data.partition(_HEADS_END)[2]), True
    # It is asked for a file.
    response = HTTPResponse(_Timed(sock, data, deadline), method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read(_LONGEST)
    keeps = response.isclosed() and not response.will_close
    answer = Answer(response.status, response.headers, body)
    response.close()
    return answer, keeps


def usual_end(data: bytes) -> int:
    """How long the usual answer is, of which this is the beginning; 0: it is another one."""
    head = _USUAL.match(data)
    if head is None:
        return 0
    told = [(name.lower(), value.strip().lower()) for name, value in _TELLING.findall(head[0])]
    if _KEEPS in told:
        told.remove(_KEEPS)
    if len(told) != 1:
        return 0
    name, value = told[0]
    if name != b"content-length" or not _LENGTH.fullmatch(value):
        return 0
    return head.end() + int(value)


def limit(sock: socket.socket, deadline: float) -> None:
    """Have a socket wait no longer than until a moment; it is not told again what it knows."""
    left, known = time_left(deadline), sock.gettimeout()
    if known is None or not left - _EARLIER <= known <= left + _LATER:
        sock.settimeout(left)


def time_left(deadline: float) -> float:
    """Seconds until a moment.

    Raises:
        TimeoutError: it has come.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the host did not answer in time")
    return left


class _Timed(io.RawIOBase):
    """What comes from a socket, until a moment.

    A host that answers a byte at a time holds nobody up for longer.
    """

    def __init__(self, sock: socket.socket, first: bytes, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._first = first  # what has been read already
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """As a socket does it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there."""
        if self._first:
            size = min(len(buffer), len(self._first))
            buffer[:size], self._first = self._first[:size], self._first[size:]
            return size
        limit(self._sock, self._deadline)
        return self._sock.recv_into(buffer)
