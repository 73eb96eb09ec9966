"""A lean sender: the SDK's transport in all but the HTTP, which is the standard library's.

What the SDK's transport does stays with it: the queue and its thread, rate limits, client reports,
compression, flush, proxies. Here one request is sent over a kept connection, at half of the cost of
urllib3. A connection is its thread's own: there is no lock that a fork could leave held, and a
child makes its own.
"""

from __future__ import annotations

import select
import ssl
import threading
import time
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from asgi_sentry._exit.answers import Answer, Heads, limit, read_answer, time_left

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_TIMEOUT = 30.0  # seconds for all of a request, as the SDK has it
_IDLE = 1.0  # seconds after which a connection is looked at before it is used
_TRIES = 4  # to connect, as urllib3 has it
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class LeanPool:
    """Sends requests to one host, in the place of a `urllib3.PoolManager`.

    Args:
        usual: the SDK's own pool, for what is left to it: redirects.
        ca_certs: the path of a bundle of certificate authorities; None: the system's.
        cert_file: the client's certificate, if the host asks for one.
        key_file: the key of that.
        socket_options: for `setsockopt`.
        timeout: seconds for all of a request.
    """

    def __init__(
        self,
        usual: Any,
        *,
        ca_certs: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        socket_options: list[tuple[int, int, int | bytes]] | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        self._usual = usual
        self._certificates = ca_certs, cert_file, key_file
        self._socket_options = socket_options or []
        self._timeout = timeout
        self._own = threading.local()
        self._tls: ssl.SSLContext | None = None
        self._last_head: _Head | None = None

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """Send a request and read the answer.

        Raises:
            OSError: the host can't be reached, does not answer in time, or goes away.
            http.client.HTTPException: what it answers is no HTTP.
        """
        deadline = time.monotonic() + self._timeout
        head = self._head_of(method, url, headers)
        kept = self._kept(head.host)
        again = kept is not None
        if kept is None:
            kept = self._connect(head.host, deadline)
        try:
            answer = self._exchange(kept, head, body, deadline)
        except (ConnectionError, ssl.SSLEOFError):
            self._drop()
            if not again:
                raise
            # The host closed a connection that was idle, in the moment in which it was used again.
            answer = self._guarded_exchange(
                self._connect(head.host, deadline), head, body, deadline
            )
        except BaseException:
            self._drop()
            raise
        if answer.status in _REDIRECTS:
            return self._usual.request(method, url, body=body, headers=headers)
        return answer

    def _head_of(self, method: str, url: str, headers: Mapping[str, str]) -> _Head:
        """The head of a request. Of the last one's it is the same, since a client has one host."""
        asked = (method, url, headers)
        known = self._last_head
        if known is None or known.asked != asked:
            self._last_head = known = _Head.of(method, url, dict(headers))
        return known

    def _guarded_exchange(self, kept: _Kept, *exchange: Any) -> Answer:
        try:
            return self._exchange(kept, *exchange)
        except BaseException:
            self._drop()
            raise

    def _exchange(self, kept: _Kept, head: _Head, body: bytes, deadline: float) -> Answer:
        sock = kept.connection.sock
        broken: OSError | None = None
        try:
            limit(sock, deadline)
            sock.sendall(b"%b%d\r\n\r\n%b" % (head.lines, len(body), body))
        except (BrokenPipeError, ConnectionResetError) as exc:
            broken = exc  # a host that refuses a body answers before it has read it
        try:
            answer, keeps = read_answer(sock, head.asked[0], deadline, kept.heads)
        except Exception:
            if broken is not None:
                raise broken from None
            raise
        kept.used = time.monotonic()
        if not keeps or broken is not None:
            self._drop()
        return answer

    # --- connections ------------------------------------------------------------------------------

    def _kept(self, host: tuple[str, str]) -> _Kept | None:
        """This thread's connection, if the host has not closed it meanwhile."""
        known: _Kept | None = getattr(self._own, "kept", None)
        if known is None or known.host != host:
            return None
        if known.is_closed():
            self._drop()
            return None
        return known

    def _connect(self, host: tuple[str, str], deadline: float) -> _Kept:
        for left in range(_TRIES - 1, -1, -1):
            connection = self._made(*host, time_left(deadline))
            try:
                connection.connect()
                break
            except ssl.SSLCertVerificationError:
                connection.close()
                raise
            except OSError:
                connection.close()
                if not left or time.monotonic() >= deadline:
                    raise
        for option in self._socket_options:
            connection.sock.setsockopt(*option)
        self._own.kept = kept = _Kept(host, connection)
        return kept

    def _made(self, scheme: str, host: str, timeout: float) -> HTTPConnection:
        if scheme != "https":
            return HTTPConnection(host, timeout=timeout)
        if self._tls is None:
            bundle, certificate, key = self._certificates
            context = ssl.create_default_context(cafile=bundle)
            if certificate is not None:
                context.load_cert_chain(certificate, key)
            self._tls = context
        return HTTPSConnection(host, timeout=timeout, context=self._tls)

    def _drop(self) -> None:
        known: _Kept | None = getattr(self._own, "kept", None)
        self._own.kept = None
        if known is not None:
            known.connection.close()


class _Head(NamedTuple):
    """The head of a request, but for the length of its body."""

    asked: tuple[str, str, Mapping[str, str]]  # the method, the address and the headers
    host: tuple[str, str]  # with its scheme
    lines: bytes  # up to that length

    @classmethod
    def of(cls, method: str, url: str, headers: dict[str, str]) -> _Head:
        """Make one."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        text = "\r\n".join([*lines, "Content-Length: "])
        return cls((method, url, headers), (parts.scheme, parts.netloc), text.encode("latin-1"))


class _Kept:
    """A thread's connection, which is closed when its thread has ended."""

    __slots__ = ("connection", "heads", "host", "used")

    def __init__(self, host: tuple[str, str], connection: HTTPConnection) -> None:
        self.host = host
        self.connection = connection
        self.heads = Heads()
        self.used = time.monotonic()

    def is_closed(self) -> bool:
        """Whether the host has closed it while it was idle.

        One that was used a moment ago is not asked: should it be closed, that is seen by its use.
        """
        sock = self.connection.sock
        if sock is None:
            return True
        # Nothing was asked for: what there is to read is the end.
        return time.monotonic() - self.used > _IDLE and _is_readable(sock)

    def __del__(self) -> None:
        self.connection.close()


def _is_readable(sock: socket.socket) -> bool:
    if hasattr(select, "poll"):  # for any number of open files
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])
