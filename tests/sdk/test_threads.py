"""What a `def` handler starts or sends tells in which worker thread it runs."""

from __future__ import annotations

import logging
import threading
from functools import partial, wraps
from typing import Any

import anyio
import pytest
import sentry_sdk
from fastapi import Depends, FastAPI
from litestar import Litestar, get
from sentry_sdk import traces
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import asgi_sentry
from asgi_sentry._sdk.threads import Threads
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN

HERE = "in the thread"
WAYS = ("span", "function", "message", "log")


def tell(mode: str, way: str) -> str:
    """Start or send something, and say where that was."""
    if way == "span" and mode == "classic":
        with sentry_sdk.start_span(op="db", name=HERE):
            pass
    elif way == "span":
        with traces.start_span(HERE):
            pass
    elif way == "function":
        asgi_sentry.trace_function("db", name=HERE)(lambda: None)()
    elif way == "message":
        sentry_sdk.capture_message(HERE)
    elif way == "log":
        logging.getLogger("shop").warning(HERE)
    thread = threading.current_thread()
    return f"{thread.ident} {thread.name}"


def shown(transport: RecordingTransport) -> tuple[str, str]:
    """The thread of the request's root span, as `tell` says it."""
    sentry_sdk.flush()
    for event in transport.items("transaction"):
        data = event["contexts"]["trace"]["data"]
        return f"{data['thread.id']} {data['thread.name']}"
    for span in transport.items("span"):
        if span["is_segment"]:
            data = span["attributes"]
            return f"{data['thread.id']['value']} {data['thread.name']['value']}"
    raise AssertionError("there is no root span")


def own() -> str:
    thread = threading.current_thread()
    return f"{thread.ident} {thread.name}"


def asked(app: Any, path: str = "/") -> str:
    return anyio.run(partial(request, asgi_sentry.wrap(app), path=path)).body.decode().strip('"')


@pytest.mark.parametrize("way", WAYS)
def test_what_is_made_in_it_tells_the_thread(start, mode, way):
    transport = start(enable_logs=True)

    def handler(_: Any) -> PlainTextResponse:
        return PlainTextResponse(tell(mode, way))

    told = asked(Starlette(routes=[Route("/", handler)]))
    assert told != own()
    assert shown(transport) == told


def _starlette(mode: str) -> Any:
    def handler(_: Any) -> PlainTextResponse:
        return PlainTextResponse(tell(mode, "span"))

    return Starlette(routes=[Mount("/a", routes=[Route("/", handler)])])


def _fastapi(mode: str) -> Any:
    app = FastAPI()

    @app.get("/a/")
    def handler() -> str:
        return tell(mode, "span")

    return app


def _decorated(mode: str) -> Any:
    def handler() -> str:
        return tell(mode, "span")

    @wraps(handler)
    def around() -> str:
        return handler()

    app = FastAPI()
    app.get("/a/")(around)
    return app


def _litestar(mode: str) -> Any:
    @get("/a/", sync_to_thread=True)
    def handler() -> str:
        return tell(mode, "span")

    return Litestar([handler], openapi_config=None)


@pytest.mark.parametrize("make", [_starlette, _fastapi, _decorated, _litestar])
def test_in_each_framework(start, mode, make):
    transport = start()
    told = asked(make(mode), "/a/")
    assert told != own()
    assert shown(transport) == told


def test_a_dependencys_thread_is_not_the_handlers(start, mode):
    transport = start()

    def elsewhere() -> None:
        # A thread of its own, since the pool would lend the one that is free again.
        worker = threading.Thread(target=tell, args=(mode, "span"))
        worker.start()
        worker.join()

    app = FastAPI(dependencies=[Depends(elsewhere)])

    @app.get("/")
    async def handler() -> str:
        return own()

    assert asked(app) == own()
    assert shown(transport) == own()


def test_with_a_handler_that_tells_nothing_it_is_the_loops(start):
    transport = start()
    assert asked(Starlette(routes=[Route("/", lambda _: PlainTextResponse(own()))])) != own()
    assert shown(transport) == own()


def test_an_unsampled_request_reports_its_errors_as_before(start, mode):
    transport = start(asgi_sentry.Settings(dsn=DSN, traces_sample_rate=0.0))

    def handler(_: Any) -> PlainTextResponse:
        return PlainTextResponse(tell(mode, "message"))

    asked(Starlette(routes=[Route("/", handler)]))
    sentry_sdk.flush()
    assert [event["message"] for event in transport.items("event")] == [HERE]
    assert not transport.items("transaction")


def _in_a_thread(function: Any) -> None:
    worker = threading.Thread(target=function)
    worker.start()
    worker.join()


def test_what_ran_in_several_threads_is_in_none():
    seen = Threads()

    def handler(after: Any) -> None:
        seen.look()
        after()

    handler(lambda: None)
    assert not seen.any  # its own thread is nothing to note
    _in_a_thread(lambda: handler(lambda: None))
    assert seen.of(handler) is not None
    # Both are alive at once, so that neither has the other's number.
    _in_a_thread(lambda: handler(lambda: _in_a_thread(lambda: handler(lambda: None))))
    assert seen.of(handler) is None


def test_its_memory_is_bounded():
    seen = Threads()

    def many() -> None:
        for number in range(3000):
            scope: dict[str, Any] = {"look": seen.look}
            exec(compile(f"def f{number}(): look()\nf{number}()", "made", "exec"), scope)

    _in_a_thread(many)
    assert len(seen._seen or ()) <= 1002


def test_the_functions_that_run_in_the_loop_are_asked_for_no_thread():
    seen = Threads()

    async def handler() -> None:
        seen.look()

    _in_a_thread(lambda: anyio.run(handler))
    assert seen.any
    assert seen.of(handler) is None
