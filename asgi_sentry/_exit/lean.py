"""A lean sender: the SDK's transport in all but the HTTP, which is the standard library's.

What the SDK's transport does stays with it: the queue and its thread, rate limits, client reports,
compression, flush, proxies. Here one request is sent over a kept connection, at half of the cost of
urllib3. A connection is its thread's own: there is no lock that a fork could leave held, and a
child makes its own.
"""

from __future__ import annotations

import io
import select
import ssl
import threading
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_TIMEOUT = 30.0  # seconds for all of a request, as the SDK has it
_LONGEST = 65_536  # bytes of an answer that are read; Sentry's are an id
_TRIES = 4  # to connect, as urllib3 has it
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Answer(NamedTuple):
    """What the SDK's transport looks at of a response."""

    status: int
    headers: Any  # that `get` finds whatever the case
    data: bytes

    def close(self) -> None:
        """Nothing: it was read."""


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

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """Send a request and read the answer.

        Raises:
            OSError: the host can't be reached, does not answer in time, or goes away.
            http.client.HTTPException: what it answers is no HTTP.
        """
        deadline = time.monotonic() + self._timeout
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection = self._kept(parts.scheme, parts.netloc)
        again = connection is not None
        if connection is None:
            connection = self._connect(parts.scheme, parts.netloc, deadline)
        try:
            answer = self._exchange(
                connection, parts.netloc, method, target, body, headers, deadline
            )
        except (ConnectionError, ssl.SSLEOFError):
            self._drop()
            if not again:
                raise
            # The host closed a connection that was idle, in the moment in which it was used again.
            connection = self._connect(parts.scheme, parts.netloc, deadline)
            answer = self._guarded_exchange(
                connection, parts.netloc, method, target, body, headers, deadline
            )
        except BaseException:
            self._drop()
            raise
        if answer.status in _REDIRECTS:
            return self._usual.request(method, url, body=body, headers=headers)
        return answer

    def _guarded_exchange(self, connection: HTTPConnection, *exchange: Any) -> Answer:
        try:
            return self._exchange(connection, *exchange)
        except BaseException:
            self._drop()
            raise

    def _exchange(
        self,
        connection: HTTPConnection,
        host: str,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: float,
    ) -> Answer:
        sock = connection.sock
        sock.settimeout(_left(deadline))
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        broken: OSError | None = None
        try:
            sock.sendall(head.encode("latin-1") + body)
        except (BrokenPipeError, ConnectionResetError) as exc:
            broken = exc  # a host that refuses a body answers before it has read it
        # It is asked for a file.
        response = HTTPResponse(_Timed(sock, deadline), method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            data = response.read(_LONGEST)
        except Exception:
            if broken is not None:
                raise broken from None
            raise
        keeps = response.isclosed() and not response.will_close and broken is None
        answer = Answer(response.status, response.headers, data)
        response.close()
        if not keeps:
            self._drop()
        return answer

    # --- connections ------------------------------------------------------------------------------

    def _kept(self, scheme: str, host: str) -> HTTPConnection | None:
        """This thread's connection, if the host has not closed it meanwhile."""
        known: _Kept | None = getattr(self._own, "kept", None)
        if known is None or known.host != (scheme, host):
            return None
        sock = known.connection.sock
        # Nothing was asked for: what there is to read is the end.
        if sock is None or _is_readable(sock):
            self._drop()
            return None
        return known.connection

    def _connect(self, scheme: str, host: str, deadline: float) -> HTTPConnection:
        for left in range(_TRIES - 1, -1, -1):
            connection = self._made(scheme, host, _left(deadline))
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
        self._own.kept = _Kept((scheme, host), connection)
        return connection

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


class _Kept:
    """A thread's connection, which is closed when its thread has ended."""

    __slots__ = ("connection", "host")

    def __init__(self, host: tuple[str, str], connection: HTTPConnection) -> None:
        self.host = host
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class _Timed(io.RawIOBase):
    """What comes from a socket, until a moment.

    A host that answers a byte at a time holds nobody up for longer.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """As a socket does it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there."""
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the host did not answer in time")
    return left


def _is_readable(sock: socket.socket) -> bool:
    if hasattr(select, "poll"):  # for any number of open files
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])
