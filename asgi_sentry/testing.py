"""For tests of apps that use this package.

A transport that records, and a request without a server.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sentry_sdk.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from sentry_sdk.envelope import Envelope, Item

    from asgi_sentry.types import ASGIApp, Message, Scope


class RecordingTransport(Transport):
    """Keeps what would be sent, and what was counted as lost.

    Give an instance to `init(transport=...)`.

    Attributes:
        envelopes: the SDK's `Envelope` objects, in the order of sending.
        lost: `(reason, category, quantity)` of each loss, as the client report would have it.
    """

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.envelopes: list[Envelope] = []
        self.lost: list[tuple[str, str, int]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep the envelope."""
        # What is lost of it counts now: one that nobody has looked at may not be scrubbed yet.
        if envelope.items:
            self.envelopes.append(envelope)

    def record_lost_event(
        self,
        reason: str,
        data_category: str | None = None,
        item: Item | None = None,
        *,
        quantity: int = 1,
    ) -> None:
        """Keep the loss.

        One given as an envelope item is counted as the SDK's own transport counts it.
        """
        if item is not None:
            data_category = item.data_category
            quantity = 1
            if data_category == "transaction":
                event = item.get_transaction_event() or {}
                spans: Any = event.get("spans") or []
                self.lost.append((reason, "span", len(spans) + 1))
            elif data_category in {"span", "log_item", "trace_metric"}:
                quantity = int(item.headers.get("item_count") or 1)
                if data_category != "span":  # their size is billed, too
                    size = "trace_metric_byte"
                    if data_category == "log_item":
                        size = "log_byte"
                    self.lost.append((reason, size, len(item.get_bytes())))
            elif data_category == "attachment":
                quantity = len(item.get_bytes()) or 1
        if data_category is None:
            raise TypeError("either data_category or item is needed")
        self.lost.append((reason, data_category, quantity))

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of all items of a kind.

        `event`, `transaction`, `span`, `log`, `trace_metric`, `sessions`, ... Batched kinds (spans,
        logs, metrics) give one payload for each entry of a batch.
        """
        payloads: list[dict[str, Any]] = []
        for envelope in list(self.envelopes):
            for item in envelope.items:
                if item.type != kind:
                    continue
                payload: Any = item.payload.json
                if isinstance(payload, dict) and isinstance(payload.get("items"), list):
                    payloads.extend(payload["items"])
                else:
                    payloads.append(payload)
        return payloads

    def clear(self) -> None:
        """Forget everything so far."""
        self.envelopes.clear()
        self.lost.clear()


class Response(NamedTuple):
    """What an app answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def request(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    *,
    headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    body: bytes = b"",
    query: bytes = b"",
    scope: Mapping[str, Any] | None = None,
) -> Response:
    """Call an ASGI app with one HTTP request, on whatever event loop runs.

    Raises what the app raises. The client stays until the answer has ended, and is gone then: an
    app that looks out for its going, as Django does and as server-sent events do, sees what it
    would see of a browser.

    Args:
        app: the app.
        method: HTTP method.
        path: decoded path, without the query.
        headers: pairs of text or bytes; names are lowered, as servers do.
        body: sent in one message.
        query: raw query string, without the question mark.
        scope: further keys of the ASGI scope, or other values for those made here.
    """
    full: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(_raw(name).lower(), _raw(value)) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        **(scope or {}),
    }
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    status, answered, chunks = 0, [], []
    client = _client()

    async def receive() -> Message:
        message = next(messages, None)
        if message is None:
            await client.leave()
            message = {"type": "http.disconnect"}
        return message

    async def send(message: Message) -> None:
        nonlocal status, answered
        client.answered = True
        if message["type"] == "http.response.start":
            status, answered = (
                message["status"],
                [(bytes(k), bytes(v)) for k, v in message.get("headers", ())],
            )
        elif message["type"] == "http.response.body":
            chunks.append(bytes(message.get("body", b"")))
            if not message.get("more_body"):
                client.satisfied.set()

    try:
        await app(full, receive, send)
    finally:
        client.end()
    return Response(status, answered, b"".join(chunks))


class _Client:
    """Whoever sent the request.

    It stays until `satisfied`, unless nobody is left who could answer it. That is so where the app
    waits for its going before it has answered anything, and has started no other task. A real
    client would lose its patience one day.
    """

    # Before it goes, so that an app may look whether it has, without waiting for it.
    _CHECKPOINTS = 3

    def __init__(
        self,
        satisfied: Any,
        checkpoint: Callable[[], Awaitable[object]],
        tasks: Callable[[], Any],
        crowd: _Crowd | None = None,
    ) -> None:
        self.answered = False
        self.satisfied = satisfied
        self._checkpoint = checkpoint
        self._tasks = tasks
        self._crowd = crowd
        if crowd is None:
            self._before = tasks()
        else:
            self._before = crowd.enter()

    def end(self) -> None:
        """The app has returned."""
        self.satisfied.set()
        if self._crowd is not None:
            self._crowd.leave()

    async def leave(self) -> None:
        """Wait for the end of the answer."""
        if self.answered or self._tasks() != self._before:
            await self.satisfied.wait()
            return
        for _ in range(self._CHECKPOINTS):
            await self._checkpoint()


class _Crowd:
    """The requests that are under way on one asyncio loop, and the tasks from before each.

    To list all tasks costs as much as there are, which for each of thousands of requests at once,
    with a task each, is the square of their number, in time and memory. Those of a crowd share a
    list: that of the one that was last alone enough to make its own.
    """

    _LISTS = 32
    of: ClassVar[dict[asyncio.AbstractEventLoop, _Crowd]] = {}

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._size = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def enter(self) -> set[asyncio.Task[Any]]:
        self._size += 1
        if self._size <= self._LISTS:
            self._tasks = asyncio.all_tasks(self._loop)
        return self._tasks

    def leave(self) -> None:
        self._size -= 1
        if not self._size:
            _Crowd.of.pop(self._loop, None)


def _client() -> _Client:
    """The client on the event loop that runs.

    Without one, where an app is driven by hand, it leaves at once.
    """
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):
            own = trio.lowlevel.current_task()

            def tasks() -> Any:
                return [
                    len(nursery.child_tasks) for nursery in own.child_nurseries
                ], trio.lowlevel.current_task()

            return _Client(trio.Event(), trio.lowlevel.checkpoint, tasks)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _Client(_Nothing(), _Nothing().wait, lambda: None)
    crowd = _Crowd.of.get(loop) or _Crowd.of.setdefault(loop, _Crowd(loop))
    return _Client(asyncio.Event(), lambda: asyncio.sleep(0), asyncio.all_tasks, crowd)


class _Nothing:
    """An event that nobody can wait for."""

    def set(self) -> None:
        pass

    async def wait(self) -> None:
        pass


def _raw(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    return text.encode("latin-1")
