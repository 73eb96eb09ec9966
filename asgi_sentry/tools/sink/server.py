"""The sink's server: standard library only, one thread a connection, bounded in all it keeps."""

from __future__ import annotations

import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asgi_sentry.tools.sink.foreign import dict_of
from asgi_sentry.tools.sink.outages import Outages
from asgi_sentry.tools.sink.protocol import (
    KNOWN,
    Answer,
    Received,
    RefusedError,
    accepted,
    check_length,
    receive,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from asgi_sentry.tools.sink.envelope import Envelope, Item

# Seconds a sender may be silent; the SDK's own limit for a request is the same.
_READ_TIMEOUT = 30.0
_MAX_DRAINED_BYTES = 64 * 1024 * 1024
_PIECE = 65_536
_FORWARDED = ("Content-Type", "Content-Encoding", "X-Sentry-Auth", "User-Agent")


class Sink:
    """Takes envelopes over HTTP and keeps them in memory.

    Start it with `with`, or `start` and `stop`.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        max_body_bytes: larger bodies, also once decompressed, are answered with 413.
        max_envelopes: beyond it the oldest go; `dropped` counts them.
        max_bytes: the same for the sum of what is kept.
        forward_to: a DSN to which each envelope is sent on; its answer is passed back to the
            sender.
        on_item: is called in the server's thread with each item as it arrives.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_body_bytes: int = 32 * 1024 * 1024,
        max_envelopes: int = 100_000,
        max_bytes: int = 512 * 1024 * 1024,
        forward_to: str | None = None,
        on_item: Callable[[Received, Item], object] | None = None,
    ) -> None:
        self._max_body_bytes, self._max_envelopes, self._max_bytes = (
            max_body_bytes,
            max_envelopes,
            max_bytes,
        )
        self._forward_to: str | None = None
        self._key: str | None = secrets.token_hex(16)
        self._project = "1"
        if forward_to is not None:
            parts = urlsplit(forward_to)
            self._forward_to = _ingestion_url(forward_to)
            # Whoever forwards must speak with the key of the target, since its answer depends on
            # it.
            self._key, self._project = parts.username, parts.path.rsplit("/", 1)[-1]
        self._on_item = on_item
        self._received: deque[Received] = deque()
        self._kept_bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.outages: Outages = Outages()
        """Rate limits and failures on demand."""
        self.dropped: int = 0
        self.refused: list[str] = []
        """Why requests were refused, the last 1,000."""
        self.answers: list[tuple[int, str]] = []
        """Status and detail of what the target of `forward_to` answered, the last 1,000."""
        self._server = _Server((host, port), self)
        self.port: int = self._server.server_address[1]
        self._address = f"[{host}]" if ":" in host else host

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Serve in a thread of its own."""
        # Half a second, the default, would be added to each stop.
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        self._thread = threading.Thread(target=serve, name="asgi-sentry-sink", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving; what was received stays readable."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- what there is -----------------------------------------------------------------------------

    @property
    def dsn(self) -> str:
        """The DSN that sends here."""
        return self.dsn_for("")

    def dsn_for(self, prefix: str) -> str:
        """A DSN whose envelopes arrive with this `prefix`, such as `/orders`."""
        return f"http://{self._key}@{self._address}:{self.port}{prefix}/{self._project}"

    @property
    def received(self) -> list[Received]:
        """Everything kept, in the order of arrival."""
        with self._changed:
            return list(self._received)

    @property
    def envelopes(self) -> list[Envelope]:
        """The envelopes alone."""
        return [received.envelope for received in self.received]

    def items(self, kind: str | None = None) -> list[Item]:
        """All items, or those of one kind."""
        return [
            item
            for env in self.envelopes
            for item in env.items
            if kind is None or item.kind == kind
        ]

    @property
    def raw(self) -> bytes:
        """Every byte that arrived, decompressed, for searching.

        A newline stands between envelopes.
        """
        return b"\n".join(received.raw for received in self.received)

    def wait_for(self, kind: str, count: int = 1, *, timeout: float = 10.0) -> list[Item]:
        """The items of a kind as soon as there are `count` of them.

        Raises:
            TimeoutError: there are fewer after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.items(kind)) >= count, timeout):
                raise TimeoutError(
                    f"{len(self.items(kind))} of {count} items of type {kind!r} after {timeout} s"
                )
            return self.items(kind)

    # -- what arrives ------------------------------------------------------------------------------

    def check_length(self, length: str | None) -> Answer | None:
        """The refusal of a request by its `Content-Length`, before a byte of its body is read."""
        try:
            check_length(length, self._max_body_bytes)
        except RefusedError as error:
            return self._refuse(error)
        return None

    def accept(
        self, path: str, headers: Mapping[str, str], body: bytes, method: str = "POST"
    ) -> Answer | None:
        """Take one request.

        What is answered is what Sentry would, None if the connection is to be cut.
        """
        url = urlsplit(path)
        headers = {name.lower(): value for name, value in headers.items()}
        try:
            target = target_of(method, url.path)
            if target is None:
                raise RefusedError(404, f"no such endpoint: {KNOWN}")  # noqa: TRY301
            received = receive(target, url.query, headers, body, limit=self._max_body_bytes)
        except RefusedError as error:
            return self._refuse(error)
        if (outage := self.outages.take()) is not None:
            time.sleep(outage.delay)
            if outage.status == 0:
                return None
            left, answer = outage.split(received)
            if left is not None:
                self._keep(left)
            return answer or accepted(received)
        self._keep(received)
        if self._forward_to is not None:
            answer = _forward(self._forward_to, headers, body)
            with self._changed:
                self.answers.append((answer.status, str(answer.body.get("detail", ""))))
                del self.answers[:-1000]
            return answer
        return accepted(received)

    def _keep(self, received: Received) -> None:
        with self._changed:
            self._received.append(received)
            self._kept_bytes += len(received.raw)
            while self._received and (
                len(self._received) > self._max_envelopes or self._kept_bytes > self._max_bytes
            ):
                self._kept_bytes -= len(self._received.popleft().raw)
                self.dropped += 1
            self._changed.notify_all()
        if self._on_item is not None:
            for item in received.envelope.items:
                self._on_item(received, item)

    def _refuse(self, error: RefusedError) -> Answer:
        with self._changed:
            self.refused.append(str(error))
            del self.refused[:-1000]
        return error.answer


def _ingestion_url(dsn: str) -> str:
    parts = urlsplit(dsn)
    prefix, _, project = parts.path.rpartition("/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{prefix}/api/{project}/envelope/"


def _forward(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    kept = {name: value for name in _FORWARDED if (value := headers.get(name.lower())) is not None}
    # A DSN is http(s).
    request = urllib.request.Request(url, data=body, headers=kept, method="POST")  # noqa: S310
    try:
        # A DSN is http(s).
        with urllib.request.urlopen(request, timeout=_READ_TIMEOUT) as response:  # noqa: S310
            return Answer(status=response.status, body=_answered(response.read(65_536)))
    except urllib.error.HTTPError as error:
        limits = {
            name: value
            for name in ("X-Sentry-Rate-Limits", "Retry-After")
            if (value := error.headers.get(name))
        }
        return Answer(status=error.code, body=_answered(error.read(65_536)), headers=limits)
    except OSError as error:
        detail = f"the upstream can't be reached ({type(error).__name__})"
        return Answer(status=502, body={"detail": detail})


def _answered(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return dict_of(value)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sink: Sink) -> None:
        self.sink = sink
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is no event; the base class would print a traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "asgi-sentry-sink"
    sys_version = ""
    timeout = _READ_TIMEOUT
    # An answer in two small segments would wait 40 ms for the sender's delayed acknowledgement.
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        refusal = self.server.sink.check_length(self.headers.get("Content-Length"))
        if refusal is None or refusal.status == 413:
            length = int(self.headers.get("Content-Length", "0"))
        else:
            length = 0
        if refusal is not None:
            # A close with unread data resets the connection, and the sender would not see the
            # answer.
            left = min(length, _MAX_DRAINED_BYTES)
            while left > 0 and (piece := self.rfile.read(min(left, _PIECE))):
                left -= len(piece)
            self._answer(refusal, close=True)
        elif len(body := self.rfile.read(length)) == length:
            answer = self.server.sink.accept(self.path, dict(self.headers), body)
            if answer is None:
                self.close_connection = True
            else:
                self._answer(answer)

    def _answer(self, answer: Answer, *, close: bool = False) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if close:  # the body was not read, so the connection can't be used again
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    # The base class's signature.
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: what arrives is told by `on_item`."""
