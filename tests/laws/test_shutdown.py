"""What is pending at the end of a process is sent while the lifespan ends, and leases go back."""

from __future__ import annotations

import threading
import time
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.transport import Transport

import asgi_sentry
from asgi_sentry import SharedLimits
from asgi_sentry._sampling.rate import Limit
from tests.redis_server import BINARY, Server, until
from tests.traffic import respond


class Slow(Transport):
    """Sends in a thread of its own, as the SDK's does, once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []
        self.sent: list[Any] = []
        self.asked: list[float] = []
        self.threads: list[threading.Thread] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.waiting.append(envelope)

    def flush(self, timeout: float, callback: Any = None) -> None:
        self.asked.append(timeout)
        self.threads.append(threading.current_thread())
        self.sent += self.waiting
        self.waiting = []


async def lifespan(app: Any) -> list[str]:
    """The messages of a start and an end, as the server sees them."""
    received = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))
    sent: list[str] = []

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    return sent


async def served(scope: Any, receive: Any, send: Any) -> None:
    """An app with a lifespan, at whose end something is logged."""
    if scope["type"] != "lifespan":
        await respond(scope, receive, send)
        return
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    asgi_sentry.capture_message("good-bye")
    await send({"type": "lifespan.shutdown.complete"})


@pytest.mark.anyio
async def test_what_is_pending_is_sent_before_the_last_message_passes(start: Any, mode: str) -> None:
    transport = Slow()
    start(transport=transport, shutdown_timeout=0.7)
    assert await lifespan(asgi_sentry.wrap(served)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert len(transport.sent) == 1
    assert all(seconds <= 0.7 for seconds in transport.asked)
    assert threading.current_thread() not in transport.threads  # the loop's other tasks go on


@pytest.mark.anyio
async def test_a_flush_that_fails_costs_the_app_nothing(start: Any, mode: str, monkeypatch: Any) -> None:
    start()
    monkeypatch.setattr(sentry_sdk.get_client(), "flush", lambda **_: 1 / 0)
    assert await lifespan(asgi_sentry.wrap(served)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_without_sentry_and_without_a_loop() -> None:
    assert anyio.run(lifespan, asgi_sentry.wrap(served, asgi_sentry.Settings())) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    steps = lifespan(asgi_sentry.wrap(served)).__await__()
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.service("redis-server")
@pytest.mark.skipif(BINARY is None, reason="no redis-server")
def test_leases_go_back_and_a_second_life_has_new_ones(start: Any) -> None:
    """As a test client does it: one app, several lifespans."""
    server = Server()
    try:
        sharing = SharedLimits(server.url, namespace="end")
        gate = sharing.gate("at_most", Limit(count=100, seconds=60.0))
        app = asgi_sentry.compose(served, asgi_sentry.SentryMiddleware)
        with server.client() as client:
            for _ in range(2):
                until(gate.take)
                assert client.zcard("{asgi-sentry:end}:workers") == 1
                anyio.run(lifespan, app)
                assert client.zcard("{asgi-sentry:end}:workers") == 0
                held, _, _ = client.hget("{asgi-sentry:end}:at_most:60", f"w:{sharing._worker}").split()
                assert held == b"0"
        sharing.close()
    finally:
        server.kill()


@pytest.mark.service("redis-server")
@pytest.mark.skipif(BINARY is None, reason="no redis-server")
def test_a_redis_that_hangs_keeps_no_events(start: Any) -> None:
    transport = Slow()
    start(transport=transport, shutdown_timeout=0.5)
    server = Server()
    try:
        sharing = SharedLimits(server.url, namespace="hang")
        gate = sharing.gate("at_most", Limit(count=100, seconds=60.0))
        until(gate.take)
        server.stop()
        began = time.monotonic()
        anyio.run(lifespan, asgi_sentry.compose(served, asgi_sentry.SentryMiddleware))
        assert time.monotonic() - began < 2.0
        assert len(transport.sent) == 1
        server.go_on()
        sharing.close()
    finally:
        server.kill()


@pytest.mark.parametrize("message", [None, True, 7, "lifespan.shutdown.complete", [], {}, {"type": []}])
def test_a_message_that_is_none_is_the_servers_to_refuse(start, message):
    """During the lifespan as well: what the server says to it is what the app hears."""
    start()
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(message)

    async def send(given: Any) -> None:
        sent.append(given)
        raise LookupError("refused")

    async def serve() -> None:
        await asgi_sentry.wrap(app)({"type": "lifespan", "asgi": {"version": "3.0"}}, send, send)

    with pytest.raises(LookupError, match="refused"):
        anyio.run(serve)
    assert len(sent) == 1
    assert sent[0] is message
