"""Real servers on loopback, with real clients: uvicorn, hypercorn and granian."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import granian.server.embed
import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import sentry_sdk
import uvicorn
from websockets.sync.client import connect

import asgi_sentry
from asgi_sentry.testing import RecordingTransport
from tests import apps
from tests.conftest import transactions
from tests.outcomes import errors

Serve = Callable[[Any], contextlib.AbstractContextManager[int]]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@contextlib.contextmanager
def in_thread(main: Any) -> Iterator[None]:
    """A server's coroutine `main(started, stop)` on an event loop of its own."""
    started, failed = threading.Event(), []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(main(started, stop))
        except BaseException as exc:
            failed.append(exc)
        finally:
            started.set()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    assert not failed, failed
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
        assert not failed, failed


def wait_for(port: int) -> None:
    """Until somebody listens there: a connection is refused at once, so this is no matter of time but of tries."""
    for _ in range(12_000):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.005)
    raise AssertionError("the server does not listen")


@contextlib.contextmanager
def by_uvicorn(app: Any) -> Iterator[int]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=port, ws="websockets-sansio", lifespan="on", log_config=None, timeout_graceful_shutdown=2
        )
    )

    async def main(started: threading.Event, stop: asyncio.Event) -> None:
        async def end() -> None:
            await stop.wait()
            server.should_exit = True

        ending = asyncio.ensure_future(end())
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server._serve()
        ending.cancel()

    with in_thread(main):
        wait_for(port)
        yield port


@contextlib.contextmanager
def by_hypercorn(app: Any) -> Iterator[int]:
    port = free_port()
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    config.graceful_timeout = 1

    async def main(started: threading.Event, stop: asyncio.Event) -> None:
        started.set()
        await hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait, mode="asgi")

    with in_thread(main):
        wait_for(port)
        yield port


@contextlib.contextmanager
def by_granian(app: Any) -> Iterator[int]:
    port = free_port()
    server = granian.server.embed.Server(app, port=port, interface="asgi", log_enabled=False)

    async def main(started: threading.Event, stop: asyncio.Event) -> None:
        serving = asyncio.ensure_future(server.serve())
        started.set()
        await stop.wait()
        server.stop()
        await serving

    with in_thread(main):
        wait_for(port)
        yield port


SERVERS: dict[str, Serve] = {"uvicorn": by_uvicorn, "hypercorn": by_hypercorn, "granian": by_granian}
EVERY_SERVER = pytest.mark.parametrize("server", SERVERS)


def eventually(there: Callable[[], Any]) -> Any:
    """What is there once the server's thread has come so far."""
    for _ in range(12_000):
        found = there()
        if found:
            return found
        threading.Event().wait(0.005)
    raise AssertionError("it does not come")


@EVERY_SERVER
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_requests_and_a_websocket(start, mode, framework, server):
    transport = start()
    app = asgi_sentry.wrap(apps.FRAMEWORKS[framework]())
    with SERVERS[server](app) as port:
        # No connection is used twice: uvicorn closes one on which an app has raised, sooner or later.
        once = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, limits=once) as client:
            assert client.get("/health").status_code == 200
            assert client.get("/items/7").json() == {"id": "7"}
            assert client.post("/echo", content=b"x" * 100_000).json() == {"size": 100_000}
            assert client.get("/boom").status_code == 500
            assert client.get("/http-500").status_code == 500
        with connect(f"ws://127.0.0.1:{port}/ws/talk", proxy=None) as websocket:
            websocket.send("hello")
            assert websocket.recv() == "hello"
        eventually(lambda: len(transactions(transport)) >= 5)
    sent = {(root["name"], root["status"] in {200, 201} or root["status"]) for root in transactions(transport)}
    assert sent == {
        ("GET /items/{item_id}", True),
        ("POST /echo", True),
        ("GET /boom", 500),
        ("GET /http-500", 500),
        ("WS /ws/talk", 101),
    }
    # The server's own error log, which has the exception too, makes no second error.
    assert [kinds for kinds, _ in errors(transport)] == [("RuntimeError",), ("HTTPException",)]


@EVERY_SERVER
def test_lifespan(start, mode, server):
    start()
    seen: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, str]]:
        seen.append("up")
        yield {"word": "kept"}
        seen.append("down")

    def work(request: Any) -> str:
        return request.state.word

    app = asgi_sentry.wrap(apps.starlette_app(work=work, lifespan=lifespan))
    with SERVERS[server](app) as port:
        assert seen == ["up"]
        answer = httpx.get(f"http://127.0.0.1:{port}/work", trust_env=False)
        assert answer.json() == {"worked": "kept"}
    assert seen == ["up", "down"]


@EVERY_SERVER
def test_a_client_that_hangs_up_in_mid_upload(start, mode, server):
    transport = start()
    app = asgi_sentry.wrap(apps.starlette_app())
    with SERVERS[server](app) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npartial")
        roots = eventually(lambda: transactions(transport))
        # And the server goes on.
        assert httpx.get(f"http://127.0.0.1:{port}/items/7", trust_env=False).status_code == 200
    assert [root["name"] for root in roots] == ["POST /echo"]


@EVERY_SERVER
def test_a_client_that_hangs_up_in_mid_download(start, mode, server):
    transport = start()
    gone = threading.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"} if await receive() else {})
            await receive()
            return await send({"type": "lifespan.shutdown.complete"})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await receive()
        left = asyncio.ensure_future(receive())
        try:
            while not left.done():
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
                await asyncio.sleep(0)
        except OSError:  # as ASGI 2.4 has it
            pass
        finally:
            left.cancel()
            gone.set()

    with SERVERS[server](asgi_sentry.wrap(endless)) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(100)
        assert gone.wait(10)
        roots = eventually(lambda: transactions(transport))
    assert [(root["name"], root["status"]) for root in roots] == [("GET <unmatched>", 200)]
    assert errors(transport) == []


@EVERY_SERVER
def test_requests_at_once_keep_apart(start, mode, server):
    """Over real connections: each error has its own request's user, trace and secret."""
    transport = start(traces_sample_rate=0.0)

    async def work(request: Any) -> None:
        name = request.query_params["name"]
        asgi_sentry.set_user_context(name)
        await asyncio.sleep(0)
        asgi_sentry.capture_message(f"of {name}")

    with SERVERS[server](asgi_sentry.wrap(apps.starlette_app(work=work))) as port:

        def ask(name: str) -> None:
            # By hand: a client library would send the trace of this very process.
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(f"GET /work?name={name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                assert b" 200 " in client.recv(100)

        threads = [threading.Thread(target=ask, args=(f"user-{number}",)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = transport.items("event")
    assert len(events) == 20
    assert all(event["message"] == f"of {event['user']['id']}" for event in events)
    assert len({event["contexts"]["trace"]["trace_id"] for event in events}) == 20


def test_what_uvicorn_logs_is_no_error_of_its_own(start, mode, monkeypatch):
    """Its own log configuration set, as `uvicorn` on the command line does it."""
    transport = start()
    with by_uvicorn(asgi_sentry.wrap(apps.starlette_app())) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/boom", trust_env=False).status_code == 500
        eventually(lambda: transactions(transport))
    sentry_sdk.flush()
    assert errors(transport) == [(("RuntimeError",), False)]
    assert isinstance(transport, RecordingTransport)
    assert "boom" in json.dumps(transport.items("event"))
