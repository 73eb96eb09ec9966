"""What servers speak besides: HTTP/2, server-sent events, large uploads, for a proxy in front, and a cloud's events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests import apps, quick
from tests.conftest import transactions
from tests.outcomes import errors

Serve = Callable[[Any, asyncio.Event], Any]


@contextlib.contextmanager
def served(serve: Serve) -> Iterator[str]:
    """A server on an event loop in a thread; where it is."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve(listening, stop))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        # What comes before the server accepts waits in the queue of the socket.
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        listening.close()
        assert not thread.is_alive()


def by_hypercorn(app: Any) -> Serve:
    async def serve(listening: socket.socket, stop: asyncio.Event) -> None:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{os.dup(listening.fileno())}"]
        config.errorlog, config.graceful_timeout = None, 5
        await hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait, mode="asgi")

    return serve


def by_uvicorn(app: Any, **options: Any) -> Serve:
    async def serve(listening: socket.socket, stop: asyncio.Event) -> None:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5, **options))

        async def end() -> None:
            await stop.wait()
            server.should_exit = True

        ending = asyncio.ensure_future(end())
        await server._serve([listening])
        await ending

    return serve


def eventually(there: Callable[[], Any]) -> Any:
    """What is there once the server's thread has come so far."""
    for _ in range(12_000):
        if found := there():
            return found
        threading.Event().wait(0.005)
    raise AssertionError("it does not come")


def test_streams_of_one_http_2_connection_are_requests_of_their_own(start, mode):
    transport: RecordingTransport = start()
    both = threading.Barrier(2)

    def work(each: Any) -> str:
        asgi_sentry.set_user_context(each.query_params["of"])
        both.wait(60)  # both streams are open at once
        asgi_sentry.capture_message(f"of {each.query_params['of']}")
        return each.scope["http_version"]

    app = asgi_sentry.wrap(apps.FRAMEWORKS["starlette"](work=work))

    async def ask(url: str) -> list[Any]:
        async with httpx.AsyncClient(base_url=url, http1=False, http2=True, trust_env=False, timeout=60) as client:
            paths = [f"/work-in-thread?of={name}" for name in ("ada", "bob")]
            answers = await asyncio.gather(*map(client.get, paths))
            answers.append(await client.get("/boom"))
            return answers

    with served(by_hypercorn(app)) as url:
        answers = asyncio.run(ask(url))
        eventually(lambda: len(transactions(transport)) == 3)
    assert [(each.http_version, each.status_code) for each in answers] == [("HTTP/2", 200)] * 2 + [("HTTP/2", 500)]
    assert answers[0].json() == {"worked": "2"}
    messages = [event for event in transport.items("event") if "exception" not in event]
    assert sorted((event["message"], event["user"]["id"]) for event in messages) == [
        ("of ada", "ada"),
        ("of bob", "bob"),
    ]
    assert [kinds for kinds, _ in errors(transport) if kinds] == [("RuntimeError",)]


def test_server_sent_events_come_one_by_one_and_are_one_transaction(start, mode):
    transport: RecordingTransport = start()
    read = threading.Semaphore(0)
    many = 50

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for number in range(many):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            # The next one is sent when this one was read: had anything held it back, neither would come.
            assert await asyncio.get_running_loop().run_in_executor(None, read.acquire, True, 60)
            assert not transactions(transport)
        await send({"type": "http.response.body", "body": b""})

    with served(by_uvicorn(asgi_sentry.wrap(app), lifespan="off")) as url:
        with httpx.stream("GET", f"{url}/events", trust_env=False, timeout=60) as answer:
            came = []
            for line in answer.iter_lines():
                if line:
                    came.append(line)
                    read.release()
        roots = eventually(lambda: transactions(transport))
    assert came == [f"data: {number}" for number in range(many)]
    assert len(roots) == 1
    assert errors(transport) == []


def test_a_large_upload_passes_in_bounded_memory(start, mode):
    """A gigabyte with `ASGI_SENTRY_SWEEP=all`, 64 MB by default, of which the body layer keeps its 16 KB."""
    transport: RecordingTransport = start()
    chunk, many = 65_536, 16_384 if quick.WHOLE else 1_024

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        asgi_sentry.capture_message(f"{size} bytes")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    left = many

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": bytes(bytearray(chunk)), "more_body": left > 0}

    async def main() -> int:
        stack = asgi_sentry.wrap(app)
        await request(stack, "POST", "/warm", body=b"x")
        tracemalloc.start()
        await stack({**SCOPE, "headers": [(b"content-type", b"text/plain")]}, receive, sink)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    async def sink(_: Any) -> None:
        """Answers go nowhere."""

    assert asyncio.run(main()) < 2_000_000
    event = transport.items("event")[-1]
    assert event["message"] == f"{chunk * many} bytes"
    assert len(json.dumps(event["request"])) < 20_000


SCOPE = {
    "type": "http", "method": "POST", "path": "/upload", "raw_path": b"/upload", "query_string": b"", "scheme": "http",
    "root_path": "", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    "asgi": {"version": "3.0"},
}  # fmt: skip


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_behind_a_proxy_that_strips_a_prefix(start, mode, framework):
    """`uvicorn --root-path /shop`, and a proxy that says who asked, and by which scheme."""
    transport: RecordingTransport = start()
    app = asgi_sentry.wrap(apps.FRAMEWORKS[framework]())
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9", "host": "shop.example"}
    serve = by_uvicorn(app, root_path="/shop", proxy_headers=True, forwarded_allow_ips="127.0.0.1")
    with served(serve) as url, httpx.Client(base_url=url, trust_env=False, timeout=60, headers=headers) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/items/7").status_code == 200
        assert client.get("/boom").status_code == 500
        eventually(lambda: len(transactions(transport)) == 2)
    assert {root["name"] for root in transactions(transport)} == {"GET /items/{item_id}", "GET /boom"}
    (event,) = transport.items("event")
    assert event["request"]["url"] == "https://shop.example/shop/boom"


@pytest.fixture
def own_loop() -> Iterator[None]:
    """The event loop of the thread, which Mangum asks for, and makes and leaves open where there is none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_within_mangum(start, mode, framework):
    """An event of a cloud's gateway is a request."""
    mangum = pytest.importorskip("mangum")
    transport: RecordingTransport = start()
    handler = mangum.Mangum(asgi_sentry.wrap(apps.FRAMEWORKS[framework]()), lifespan="off")

    def ask(path: str) -> Any:
        event = {
            "version": "2.0", "rawPath": path, "rawQueryString": "token=hunter2hunter2",
            "headers": {"host": "api.example", "authorization": "Bearer qHd7wLmPz3xVbN5k"},
            "requestContext": {"http": {"method": "GET", "path": path, "sourceIp": "203.0.113.9"}, "stage": "$default"},
            "isBase64Encoded": False,
        }  # fmt: skip
        return handler(event, None)

    assert json.loads(ask("/items/7")["body"]) == {"id": "7"}
    assert ask("/boom")["statusCode"] == 500
    assert {root["name"] for root in transactions(transport)} == {"GET /items/{item_id}", "GET /boom"}
    assert [kinds for kinds, _ in errors(transport)] == [("RuntimeError",)]
    sent = b"".join(envelope.serialize() for envelope in transport.envelopes)
    assert b"hunter2hunter2" not in sent
    assert b"qHd7wLmPz3xVbN5k" not in sent
