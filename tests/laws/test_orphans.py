"""What is captured outside of its request's context finds its request, or is scrubbed by all that it may be about."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import queue
import sys
import threading
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.scope import Scope, use_isolation_scope, use_scope
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import asgi_sentry
from asgi_sentry._request.lately import SECONDS, Lately
from asgi_sentry._scrubbing import Taint
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import V3, transactions
from tests.strategies import Clock

TOKEN = "qZ81mm20aaXkP7vW"
OTHER = "rT55nn31bbYlQ8wX"


def bearing(token: str, user: str = "ada") -> dict[str, Any]:
    return {"headers": [("authorization", f"Bearer {token}"), ("x-user", user)]}


def sent(transport: RecordingTransport) -> str:
    sentry_sdk.flush()
    kinds = ("event", "transaction", "log", "span")
    return json.dumps([transport.items(kind) for kind in kinds], default=str)


async def outside(work: Any) -> None:
    """Do something in a thread that belongs to no request."""
    thread = threading.Thread(target=_as_nobody, args=(work,))
    thread.start()
    await anyio.to_thread.run_sync(thread.join)


def _as_nobody(work: Any) -> None:
    with use_isolation_scope(Scope()), use_scope(Scope()):
        work()


# -- asyncio's "never retrieved" -------------------------------------------------------------------------------------


def test_a_task_that_nobody_awaits_finds_its_request(start, mode):
    tasks: list[Any] = []

    async def refused(key: str) -> None:
        await asyncio.sleep(0)
        raise ValueError("upstream refused " + key)

    async def endpoint(request: Any) -> PlainTextResponse:
        asgi_sentry.set_user_context("ada")
        tasks.append(asyncio.create_task(refused(request.headers["authorization"].split()[1])))
        return PlainTextResponse("ok")

    async def serve() -> None:
        await request(app, path="/x", **bearing(TOKEN))
        await asyncio.sleep(0.01)
        tasks.clear()
        gc.collect()

    transport = start()
    app = asgi_sentry.wrap(Starlette(routes=[Route("/x", endpoint)]))
    # In a context of its own, as under a server.
    asyncio.run(serve())
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert event["transaction"] == "GET /x"
    assert event["user"] == {"id": "ada"}
    assert TOKEN not in sent(transport)


def uvloop_factory() -> Any:
    """A loop whose exception handler has no frame that could be looked at."""
    return pytest.importorskip("uvloop").new_event_loop()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop_factory], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("old", [False, True])
def test_a_task_finds_its_request_on_each_loop_and_in_another_requests_context(start, mode, loop, old):
    """A task is collected when the last who holds it lets go, which may be another request."""
    tasks: list[Any] = []

    async def refused(key: str) -> None:
        await asyncio.sleep(0)
        raise ValueError("upstream refused " + key)

    async def first(request: Any) -> PlainTextResponse:
        asgi_sentry.set_user_context("ada")
        tasks.append(asyncio.create_task(refused(request.headers["authorization"].split()[1])))
        await asyncio.wait(tasks)
        return PlainTextResponse("ok")

    async def second(request: Any) -> PlainTextResponse:
        sentry_sdk.set_user({"id": "grace", "username": "hopper"})
        sentry_sdk.add_breadcrumb(message="of grace")
        if old:
            gc.collect()
            gc.collect()
        tasks.clear()
        return PlainTextResponse("ok")

    async def serve() -> None:
        await request(app, path="/first", **bearing(TOKEN, "ada"))
        await request(app, path="/second", **bearing(OTHER, "grace"))

    transport = start()
    app = asgi_sentry.wrap(Starlette(routes=[Route("/first", first), Route("/second", second)]))
    running = loop()
    try:
        running.run_until_complete(serve())
    finally:
        running.close()
    (event,) = transport.items("event")
    assert (event["transaction"], event["user"]) == ("GET /first", {"id": "ada"})
    assert not (event.get("breadcrumbs") or {}).get("values")
    roots = {root["name"]: root["trace_id"] for root in transactions(transport)}
    assert event["contexts"]["trace"]["trace_id"] == roots["GET /first"]
    assert TOKEN not in sent(transport)


def test_what_a_finalizer_raises_is_of_the_request_that_let_go(start, mode, monkeypatch):
    unraisablehook = pytest.importorskip("sentry_sdk.integrations.unraisablehook")
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    class Held:
        def __init__(self, key: str) -> None:
            self.key = key

        def __del__(self) -> None:
            raise ValueError("could not close " + self.key)

    async def endpoint(request: Any) -> PlainTextResponse:
        Held(request.headers["authorization"])
        return PlainTextResponse("ok")

    transport = start(integrations=[unraisablehook.UnraisablehookIntegration()])
    unraisablehook.UnraisablehookIntegration.setup_once()  # the SDK does it once a process, and it is undone here
    anyio.run(lambda: request(asgi_sentry.wrap(Starlette(routes=[Route("/", endpoint)])), **bearing(TOKEN)))
    (event,) = transport.items("event")
    assert event["transaction"] == "GET /"
    assert TOKEN not in sent(transport)


# -- what finds none ---------------------------------------------------------------------------------------------------


def test_what_is_said_of_a_request_that_is_alive_is_scrubbed(start, mode):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await outside(lambda: logging.getLogger("server").error("called by %s", TOKEN))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def serve() -> None:
        await request(asgi_sentry.wrap(app), **bearing(TOKEN))

    transport = start()
    anyio.run(serve)
    assert len(transport.items("event")) == 1
    assert TOKEN not in sent(transport)


def test_and_of_one_that_failed_a_moment_ago(start, mode):
    async def fail(_: Any) -> None:
        raise HTTPException(503)

    async def serve() -> None:
        await request(asgi_sentry.wrap(Starlette(routes=[Route("/", fail)])), **bearing(TOKEN))
        await outside(lambda: logging.getLogger("server").error("it was called by %s", TOKEN))

    transport = start()
    anyio.run(serve)
    assert len(transport.items("event")) == 2
    assert TOKEN not in sent(transport)


def test_a_clients_words_blank_nothing_that_the_app_says(start, mode):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await outside(lambda: logging.getLogger("server").error("the production database is away"))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def serve() -> None:
        headers = [("authorization", "Bearer database"), ("x-api-key", "server"), ("cookie", "session=production")]
        await request(asgi_sentry.wrap(app), headers=headers)

    transport = start()
    anyio.run(serve)
    (event,) = transport.items("event")
    assert event["logentry"]["message"] == "the production database is away"


LOGS = {} if V3 else {"enable_logs": True}


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop_factory], ids=["asyncio", "uvloop"])
def test_logs_that_wait_in_a_batch_know_what_they_may_be_about(start, mode, loop):
    """They are scrubbed when they are sent, and the requests that were alive are over by then."""
    tasks: list[Any] = []

    async def refused(key: str) -> None:
        raise ValueError("upstream refused " + key)

    async def endpoint(request: Any) -> PlainTextResponse:
        key = request.headers["authorization"].split()[1]
        await outside(lambda: logging.getLogger("server").error("called by %s", key))
        await outside(lambda: sentry_sdk.metrics.count("calls", 1, attributes={"by": key}))
        tasks.append(asyncio.create_task(refused(key)))
        return PlainTextResponse("ok")

    transport = start(**LOGS)
    running = loop()
    try:
        app = asgi_sentry.wrap(Starlette(routes=[Route("/", endpoint)]))
        running.run_until_complete(request(app, **bearing(TOKEN)))
        running.run_until_complete(asyncio.wait(tasks))
        tasks.clear()
    finally:
        running.close()
    sentry_sdk.flush()
    assert len([each for each in transport.items("log") if "called by" in each["body"]]) == 1
    assert len([each for each in transport.items("log") if "never retrieved" in each["body"]]) == 1
    assert transport.items("trace_metric")
    assert TOKEN not in sent(transport)
    assert TOKEN not in json.dumps(transport.items("trace_metric"))


# -- workers -----------------------------------------------------------------------------------------------------------


def test_a_worker_thread_that_a_request_started_lends_nothing_of_it(start, mode):
    jobs: queue.Queue[Any] = queue.Queue()
    done: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            logging.getLogger("worker").error(job)
            done.put(job)

    async def endpoint(request: Any) -> PlainTextResponse:
        asgi_sentry.set_user_context(request.headers["x-user"])
        sentry_sdk.set_user({"id": request.headers["x-user"]})
        if request.url.path == "/first":
            threading.Thread(target=work, daemon=True).start()
        else:
            jobs.put(f"refused {OTHER}")
            await anyio.to_thread.run_sync(done.get)
        return PlainTextResponse("ok")

    async def serve() -> None:
        await request(app, path="/first", **bearing(TOKEN, "ada"))
        await request(app, path="/second", **bearing(OTHER, "grace"))
        jobs.put(f"and {TOKEN}")
        await anyio.to_thread.run_sync(done.get)
        jobs.put(None)

    transport = start()
    app = asgi_sentry.wrap(Starlette(routes=[Route("/first", endpoint), Route("/second", endpoint)]))
    anyio.run(serve)
    events = transport.items("event")
    assert len(events) == 2
    assert not any("user" in event or "request" in event for event in events)
    assert OTHER not in sent(transport)
    assert TOKEN not in sent(transport)


@pytest.mark.parametrize(("later", "user"), [(SECONDS - 1, {"id": "ada"}), (SECONDS + 1, None)])
def test_a_task_lends_nothing_after_a_minute(start, mode, monkeypatch, later, user):
    from asgi_sentry._request import record as module

    async def endpoint(_: Any) -> PlainTextResponse:
        async def work() -> None:
            await asked.wait()
            asgi_sentry.capture_message("late")

        asgi_sentry.set_user_context("ada")
        tasks.append(asyncio.create_task(work()))
        return PlainTextResponse("ok")

    tasks: list[Any] = []
    asked = asyncio.Event()

    async def serve() -> None:
        await request(asgi_sentry.wrap(Starlette(routes=[Route("/", endpoint)])))
        before = module.monotonic
        monkeypatch.setattr(module, "monotonic", lambda: before() + later)
        asked.set()
        await tasks[0]

    transport = start()
    asyncio.run(serve())
    (event,) = transport.items("event")
    assert event.get("user") == user


# -- the memory --------------------------------------------------------------------------------------------------------


def test_what_failed_is_kept_for_a_minute_and_no_longer():
    clock = Clock()
    memory = Lately(clock)
    memory.note_failed(Taint([TOKEN]))
    clock.now = SECONDS - 1
    found = memory.taint()
    assert found is not None
    assert found.replace(f"by {TOKEN}")[1]
    clock.now = SECONDS + 1
    assert memory.taint() is None


def test_it_is_bounded():
    memory = Lately(Clock())
    for number in range(1_000):
        memory.note_failed(Taint([f"{TOKEN}{number}"]))
    assert len(memory._failed) <= 64


@pytest.mark.anyio
async def test_nothing_stays_of_a_request_that_went_well(start, mode):
    from asgi_sentry._request.lately import lately

    start()
    await request(asgi_sentry.wrap(Starlette(routes=[Route("/", lambda _: PlainTextResponse("ok"))])), **bearing(TOKEN))
    assert not lately.alive
    assert lately.taint() is None
