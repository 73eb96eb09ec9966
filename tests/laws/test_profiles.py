"""A profile shows the thread in which the handler ran; the event loop's only waits meanwhile."""

from __future__ import annotations

import threading
import time
from functools import partial, wraps
from typing import Any

import anyio
import pytest
import sentry_sdk
from fastapi import FastAPI
from litestar import Litestar, get
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN

if sentry_sdk.VERSION.startswith("3"):
    pytest.skip("it profiles all along", allow_module_level=True)
from sentry_sdk.profiler.transaction_profiler import teardown_profiler

BUSY = 0.15  # seconds, of which the profiler looks at a hundredth


@pytest.fixture
def transport():
    teardown_profiler()
    recording = RecordingTransport()
    settings = asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0, profiles_sample_rate=1.0)
    asgi_sentry.init(settings, transport=recording)
    yield recording
    teardown_profiler()


def work() -> str:
    end = time.monotonic() + BUSY
    while time.monotonic() < end:
        sum(range(1000))
    return str(threading.get_ident())


def through(function: Any) -> Any:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def starlette_handler(_: Any) -> PlainTextResponse:
    return PlainTextResponse(work())


async def starlette_async(_: Any) -> PlainTextResponse:
    return PlainTextResponse(work())


def fastapi_handler() -> str:
    return work()


def fastapi_app(handler: Any) -> Any:
    app = FastAPI()
    app.get("/")(handler)
    return app


def litestar_app() -> Any:
    @get("/", sync_to_thread=True)
    def litestar_handler() -> str:
        return work()

    return Litestar([litestar_handler], openapi_config=None)


APPS = {
    "starlette": lambda: Starlette(routes=[Route("/", starlette_handler)]),
    "starlette async": lambda: Starlette(routes=[Route("/", starlette_async)]),
    "starlette decorated": lambda: Starlette(routes=[Route("/", through(starlette_handler))]),
    "starlette partial": lambda: Starlette(routes=[Route("/", partial(starlette_handler))]),
    "fastapi": lambda: fastapi_app(fastapi_handler),
    "litestar": litestar_app,
}


@pytest.mark.parametrize("kind", APPS)
def test_its_thread_is_the_handlers(transport, kind):
    app = asgi_sentry.wrap(APPS[kind]())
    thread = anyio.run(partial(request, app)).body.decode().strip('"')
    assert (int(thread) == threading.get_ident()) == (kind == "starlette async")
    (profile,) = transport.items("profile")
    assert profile["transactions"][0]["active_thread_id"] == thread
    (transaction,) = transport.items("transaction")
    data = transaction["contexts"]["trace"]["data"]
    assert data["thread.id"] == thread
    assert (data["thread.name"] == threading.current_thread().name) == (kind == "starlette async")


def test_of_two_that_run_at_once_neither_shows_the_others(transport):
    app = asgi_sentry.wrap(APPS["starlette"]())

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(request, app)
            group.start_soon(request, app)

    anyio.run(both)
    shown = {profile["transactions"][0]["active_thread_id"] for profile in transport.items("profile")}
    assert shown == {str(threading.get_ident())}
