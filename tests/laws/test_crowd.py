"""Many at once, and a Sentry in trouble: every request has its own, and no answer is other than without."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import importlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.transport import HttpTransport

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.traffic import respond

pytestmark = pytest.mark.untraced

CROWD = 5_000
EACH = 10  # of which one reports an error


def on_uvloop(main: Callable[[], Any]) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


LOOPS: dict[str, Callable[[Callable[[], Any]], None]] = {
    "asyncio": lambda main: asyncio.run(main()),
    "uvloop": on_uvloop,
    "trio": lambda main: anyio.run(main, backend="trio"),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_five_thousand_at_once_keep_apart(start: Any, loop: str) -> None:
    transport: RecordingTransport = start(traces_sample_rate=0.01)
    at_once = most = 0
    everyone: Any = None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal at_once, most
        number = int(scope["path"][1:])
        at_once += 1
        most = max(most, at_once)
        asgi_sentry.set_user_context(f"user-{number}")
        if most == CROWD:
            everyone.set()
        await everyone.wait()
        if number % EACH == 0:
            asgi_sentry.capture_message(f"of user-{number}")
        await respond(scope, receive, send)

    async def main() -> None:
        nonlocal everyone
        everyone = anyio.Event()
        async with anyio.create_task_group() as group:
            for number in range(CROWD):
                group.start_soon(ask, number)

    async def ask(number: int) -> None:
        assert (await request(stack, path=f"/{number}")).status == 200

    stack = asgi_sentry.wrap(app)
    LOOPS[loop](main)
    assert most == CROWD
    events = transport.items("event")
    assert len(events) == CROWD // EACH
    assert all(event["message"] == f"of {event['user']['id']}" for event in events)
    assert len({event["contexts"]["trace"]["trace_id"] for event in events}) == CROWD // EACH


# --- a Sentry in trouble ---

LIMITS = {"x-sentry-rate-limits": "60:error:organization"}


class Trouble(http.server.BaseHTTPRequestHandler):
    """Answers as the server's `kind` says."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind = self.server.kind
        if kind == "hangs":
            self.server.stop.wait(20)
            self.close_connection = True
            return
        if kind == "resets":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
            return
        if kind == "garbage":
            self.wfile.write(b"\x00\xff not HTTP at all\r\n\r\n")
            self.close_connection = True
            return
        if kind == "slow":
            self.server.stop.wait(0.02)
        status = {"413": 413, "429": 429, "500": 500}.get(kind, 200)
        if status == 200:
            self.server.got += self.events(body)
        self.send_response(status)
        for name, value in (LIMITS if kind == "429" else {}).items():
            self.send_header(name, value)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def events(self, body: bytes) -> int:
        encoding = self.headers.get("content-encoding")
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "br":
            body = importlib.import_module("brotli").decompress(body)
        return body.count(b'{"type":"event"')

    def log_message(self, *_: Any) -> None:
        pass


class Counted(HttpTransport):
    """The SDK's own; what it counts as lost is counted here as well."""

    def __init__(self, options: Any) -> None:
        self.lost: Counter[str] = Counter()
        super().__init__(options)

    def record_lost_event(self, reason: str, data_category: Any = None, item: Any = None, *, quantity: int = 1) -> None:
        category = data_category or (item.data_category if item is not None else None)
        if category == "error":
            self.lost[reason] += quantity
        super().record_lost_event(reason, data_category, item, quantity=quantity)


def lost() -> Counter[str]:
    """Of the client in force."""
    found: Counter[str] = sentry_sdk.get_client().transport.lost
    return found


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that gives up is no matter."""


@pytest.fixture
def trouble() -> Iterator[Callable[[str], Any]]:
    made: list[Any] = []

    def run(kind: str) -> Any:
        server: Any = Quiet(("127.0.0.1", 0), Trouble)
        server.kind, server.stop, server.got = kind, threading.Event(), 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.append(server)
        return server

    yield run
    for server in made:
        server.stop.set()
        server.shutdown()
        server.server_close()


async def failing(scope: Any, receive: Any, send: Any) -> None:
    asgi_sentry.capture_message("hello")
    await respond(scope, receive, send)


REQUESTS = 60


def serve(server: Any) -> tuple[list[int], float]:
    """The answers, and the 95th percentile of what a request costs the loop's thread, in processor seconds."""
    asgi_sentry.init(
        asgi_sentry.Settings(dsn=f"http://key@127.0.0.1:{server.server_address[1]}/1", traces_sample_rate=0.0),
        transport=Counted,
        shutdown_timeout=1,
    )
    stack = asgi_sentry.wrap(failing)
    spent: list[float] = []

    async def main() -> list[int]:
        statuses = []
        for _ in range(REQUESTS):
            before = time.thread_time()
            statuses.append((await request(stack, path="/work")).status)
            spent.append(time.thread_time() - before)
        return statuses

    return anyio.run(main), sorted(spent)[int(0.95 * REQUESTS)]


@pytest.mark.parametrize("kind", ["hangs", "resets", "garbage", "413", "429", "500", "slow"])
def test_a_sentry_in_trouble_costs_the_app_nothing_and_losses_are_counted(trouble: Any, kind: str) -> None:
    healthy, normal = serve(trouble("healthy"))
    sentry_sdk.flush(10)
    assert not lost()
    server = trouble(kind)
    answers, busy = serve(server)
    assert answers == healthy == [200] * REQUESTS
    assert busy < 5 * normal + 0.01
    if kind == "hangs":  # what waits is not lost yet
        return
    sentry_sdk.flush(10)
    # One that is answered by 429 is counted by the server that says so; those that are then held back, by the SDK.
    in_hand = int(kind == "429")
    assert server.got + sum(lost().values()) + in_hand == REQUESTS, dict(lost())
