"""The ingestion endpoints as an ASGI app in front of the pages: what is no endpoint is passed on.

It is written on plain ASGI, since it is asked thousands of times a second. A body is read within
bounds of size and time, and nothing is kept of one that was cut, refused or too slow.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from asgi_sentry.tools.sink.protocol import (
    KNOWN,
    Answer,
    RefusedError,
    accepted,
    check_length,
    receive,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry.tools.sink.protocol import Received, Target
    from asgi_sentry.tools.sink.state import State
    from asgi_sentry.tools.sink.store import Store
    from asgi_sentry.types import ASGIApp, Receive, Scope, Send

_LARGE = 256 * 1024  # bytes from which on a body is unpacked beside the loop
_MOST_DRAINED = 64 * 1024 * 1024
# What Relay lets browsers send and read: https://develop.sentry.dev/sdk/overview/
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-sentry-error, x-sentry-rate-limits, retry-after"),
]
_ALLOWED = (
    b"x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, content-type,"
    b" content-encoding, authentication, authorization, sentry-trace, baggage, traceparent"
)
_PREFLIGHT = [
    *_CORS,
    (b"access-control-allow-methods", b"POST, GET, PUT, OPTIONS"),
    (b"access-control-allow-headers", _ALLOWED),
    (b"access-control-max-age", b"3600"),
]
_GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b"
)


class Ingestion:
    """Takes what senders send, and hands all other requests to `pages`.

    Args:
        pages: an ASGI app.
        state: of the sink; its store keeps what is taken.
        max_body_bytes: larger bodies, also once decompressed, are answered with 413.
        seconds: a sender may take for a body.
        on_received: is called with what was taken.
    """

    def __init__(
        self,
        pages: ASGIApp,
        *,
        state: State,
        max_body_bytes: int = 32 * 1024 * 1024,
        seconds: float = 30.0,
        on_received: Callable[[Received], object] | None = None,
    ) -> None:
        self.pages: ASGIApp = pages
        self.state: State = state
        self.store: Store = state.store
        self._max_body_bytes, self._seconds = max_body_bytes, seconds
        self._on_received = on_received

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a sender, or pass the request on."""
        if scope["type"] != "http":
            await self.pages(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        if method == "OPTIONS" and target_of("POST", path) is not None:
            await _send(send, 204, b"", [*_PREFLIGHT])
            return
        target = target_of(method, path)
        if target is not None:
            await self._ingest(target, scope, receive, send)
        elif "/api/" in path:
            error = RefusedError(404, f"no such endpoint for {method[:10]}: {KNOWN}")
            await self._answer(send, self._refuse(error))
        else:
            await self.pages(scope, receive, send)

    async def _ingest(self, target: Target, scope: Scope, receive_: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        try:
            body = await self._body(headers, receive_)
            query, limit = scope["query_string"].decode("latin-1"), self._max_body_bytes
            if len(body) < _LARGE:
                received = receive(target, query, headers, body, limit=limit)
            else:
                received = await anyio.to_thread.run_sync(
                    lambda: receive(target, query, headers, body, limit=limit)
                )
        except RefusedError as error:
            await self._answer(send, self._refuse(error), close=error.status in {408, 413})
            return
        except _HungUpError:
            self._refuse(RefusedError(400, "the sender hung up before the end of the body"))
            return
        outage = self.state.outages.take()
        if outage is None:
            await self._keep(received)
            answer = accepted(received)
        else:
            await anyio.sleep(outage.delay)
            if outage.status == 0:
                # Half an answer, upon which the server closes the connection.
                start = {"type": "http.response.start", "status": 200}
                await send({**start, "headers": [(b"content-length", b"2")]})
                return
            left, told = outage.split(received)
            if left is not None:
                await self._keep(left)
            answer = told or accepted(received)
        if target.endpoint == "store" and scope["method"] == "GET" and answer.status == 200:
            await _send(send, 200, _GIF, [*_CORS, (b"content-type", b"image/gif")])
        else:
            await self._answer(send, answer)

    async def _keep(self, received: Received) -> None:
        while self.store.full:  # noqa: ASYNC110  # the writer is a thread, and this is rare
            await anyio.sleep(0.005)
        self.store.add(received)
        if self._on_received is not None:
            self._on_received(received)

    async def _body(self, headers: dict[str, str], receive_: Receive) -> bytes:
        refusal = None
        if (length := headers.get("content-length")) is not None:
            try:
                check_length(length, self._max_body_bytes)
            except RefusedError as error:
                refusal = error
        pieces, size, more = [], 0, True
        with anyio.move_on_after(self._seconds) as limit:
            while more:
                message = await receive_()
                if message["type"] == "http.disconnect":
                    raise _HungUpError
                piece, more = message.get("body", b""), message.get("more_body", False)
                size += len(piece)
                if refusal is None and size > self._max_body_bytes:
                    refusal = RefusedError(
                        413, f"the body has more than {self._max_body_bytes} bytes"
                    )
                if refusal is None:
                    pieces.append(piece)
                    continue
                # A close with unread data resets the connection, and the answer would not be seen.
                pieces.clear()
                if size > _MOST_DRAINED:
                    break
        if limit.cancelled_caught:
            raise RefusedError(408, f"the body did not arrive within {self._seconds:g} seconds")
        if refusal is not None:
            raise refusal
        return b"".join(pieces)

    def _refuse(self, error: RefusedError) -> Answer:
        self.state.refuse(str(error))
        return error.answer

    async def _answer(self, send: Send, answer: Answer, *, close: bool = False) -> None:
        body = json.dumps(answer.body).encode()
        headers = [*_CORS, (b"content-type", b"application/json")]
        headers += [(k.lower().encode(), v.encode("latin-1")) for k, v in answer.headers.items()]
        if close:
            headers.append((b"connection", b"close"))
        await _send(send, answer.status, body, headers)


class _HungUpError(Exception):
    """The sender went away."""


async def _send(send: Send, status: int, body: bytes, headers: list[Any]) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
