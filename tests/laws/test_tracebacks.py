"""Errors come with their frames: the last one is the function that raised, with its variables.

Starlette takes the traceback off an exception once its answer is out, so it has to be held from where the exception
is in hand.
"""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi import HTTPException as FastAPIHTTPException
from fastapi import WebSocket as FastAPIWebSocket
from litestar import Litestar, get, websocket
from litestar import Response as LitestarResponse
from litestar import WebSocket as LitestarWebSocket
from litestar.exceptions import HTTPException as LitestarHTTPException
from litestar.exceptions import LitestarException
from litestar.exceptions import WebSocketException as LitestarWebSocketException
from litestar.middleware import DefineMiddleware
from litestar.response import Stream
from starlette import _exception_handler as starlette_exceptions
from starlette.applications import Starlette
from starlette.exceptions import HTTPException, WebSocketException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests import apps


class Broken(Exception):
    """Answered with 503 by a sync or an async handler."""


class Cut(Exception):
    """The other one."""


def sync_handler(_: Any, exc: Exception) -> PlainTextResponse:
    return PlainTextResponse("sorry", 503)


async def async_handler(_: Any, exc: Exception) -> PlainTextResponse:
    return PlainTextResponse("sorry", 503)


HANDLERS = {Broken: sync_handler, Cut: async_handler}


def culprit(kind: type[Exception], **arguments: Any) -> None:
    order = "order-4711"
    raise kind(**arguments) if arguments else kind(order)


# What each of the frameworks answers by itself: path to what is raised there.
STARLETTE = {
    "/exception": partial(culprit, HTTPException, status_code=503),
    "/handler": partial(culprit, Broken),
    "/async-handler": partial(culprit, Cut),
}
FASTAPI = {**STARLETTE, "/exception": partial(culprit, FastAPIHTTPException, status_code=503)}
LITESTAR = {
    **STARLETTE,
    "/exception": partial(culprit, LitestarHTTPException, status_code=503),
    "/raised": partial(culprit, KeyError),
}


def starlette_routes() -> list[Any]:
    def plain(action: Any) -> Any:
        def endpoint(_: Any) -> None:
            action()

        return endpoint

    def coroutine(action: Any) -> Any:
        async def endpoint(_: Any) -> None:
            action()

        return endpoint

    return [
        Route(prefix + path, make(action))
        for path, action in STARLETTE.items()
        for prefix, make in (("/sync", plain), ("/async", coroutine))
    ]


def starlette(inside: Any = ()) -> Any:
    layers = [Middleware(layer) for layer in inside]
    return Starlette(routes=starlette_routes(), middleware=layers, exception_handlers=HANDLERS)


def starlette_mounted(inside: Any = ()) -> Any:
    """An app within the app answers its own exceptions."""
    return Starlette(routes=[Mount("/", app=starlette())], middleware=[Middleware(layer) for layer in inside])


def starlette_added(inside: Any = ()) -> Any:
    app = Starlette(routes=starlette_routes(), exception_handlers=HANDLERS)
    for layer in reversed(inside):
        app.add_middleware(layer)
    return app


def fastapi(inside: Any = ()) -> Any:
    app = FastAPI(exception_handlers=HANDLERS, middleware=[Middleware(layer) for layer in inside])
    router = APIRouter()

    def behind(action: Any) -> Any:
        def dependency() -> None:
            action()

        return dependency

    def add(path: str, action: Any) -> None:
        @router.get("/sync" + path)
        def endpoint() -> None:
            action()

        @router.get("/async" + path)
        async def endpoint_async() -> None:
            action()

        @router.get("/depends" + path, dependencies=[Depends(behind(action))])
        async def endpoint_behind() -> None:
            """Its dependency fails."""

    for path, action in FASTAPI.items():
        add(path, action)
    app.include_router(router)
    return app


def litestar(inside: Any = ()) -> Any:
    def endpoints(path: str, action: Any) -> list[Any]:
        @get("/sync" + path, sync_to_thread=True, name="sync" + path)
        def endpoint() -> None:
            action()

        @get("/async" + path, name="async" + path)
        async def endpoint_async() -> None:
            action()

        return [endpoint, endpoint_async]

    def answer(_: Any, exc: Exception) -> LitestarResponse[str]:
        return LitestarResponse("sorry", status_code=503)

    return Litestar(
        [each for path, action in LITESTAR.items() for each in endpoints(path, action)],
        exception_handlers={Broken: answer, Cut: answer},
        middleware=[DefineMiddleware(layer) for layer in inside],
        openapi_config=None,
    )


LAYERS = (asgi_sentry.SentryMiddleware, asgi_sentry.UserContextMiddleware)
WAYS: dict[str, Any] = {
    "wrap": lambda build: asgi_sentry.wrap(build()),
    "inside": lambda build: build(LAYERS),
    "inside and outside": lambda build: asgi_sentry.wrap(build(LAYERS)),
    "between others": lambda build: asgi_sentry.compose(build(), LAYERS[0], apps.hiding, LAYERS[1], apps.Foreign),
    "base around": lambda build: apps.Base(asgi_sentry.wrap(build())),
    "base between layers": lambda build: asgi_sentry.compose(build(), LAYERS[0], apps.Base, LAYERS[1]),
    "base inside, a layer in it": lambda build: asgi_sentry.wrap(build((apps.Base, LAYERS[1]))),
}
BUILDS: dict[str, tuple[Any, dict[str, Any], tuple[str, ...]]] = {
    "starlette": (starlette, STARLETTE, ("/sync", "/async")),
    "starlette, mounted": (starlette_mounted, STARLETTE, ("/sync", "/async")),
    "starlette, added": (starlette_added, STARLETTE, ("/sync", "/async")),
    "fastapi": (fastapi, FASTAPI, ("/sync", "/async", "/depends")),
    "litestar": (litestar, LITESTAR, ("/sync", "/async")),
}


def assert_it_is_whole(transport: RecordingTransport, where: object) -> None:
    (event,) = transport.items("event")
    last = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (last["function"], last["vars"]["order"]) == ("culprit", "'order-4711'"), where


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("build", BUILDS)
def test_a_handled_error_has_the_frame_that_raised_it(start, mode, build, way):
    make, raised, prefixes = BUILDS[build]
    transport = start()
    app = WAYS[way](make)

    async def serve() -> None:
        for path in raised:
            for prefix in prefixes:
                transport.clear()
                answer = await request(app, path=prefix + path)
                assert answer.status in {500, 503}
                assert_it_is_whole(transport, prefix + path)

    anyio.run(serve)


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar"])
def test_an_error_that_closes_a_websocket_has_it_too(start, mode, framework, accepted):
    kind: Any = LitestarWebSocketException if framework == "litestar" else WebSocketException

    async def serve(socket: Any) -> None:
        if accepted:
            await socket.accept()
        culprit(kind, code=1011)

    def litestar_app() -> Any:
        @websocket("/ws")
        async def endpoint(socket: LitestarWebSocket[Any, Any, Any]) -> None:
            await serve(socket)

        return Litestar([endpoint], openapi_config=None)

    def fastapi_app() -> Any:
        app = FastAPI()

        async def endpoint(websocket: FastAPIWebSocket) -> None:
            await serve(websocket)

        app.add_api_websocket_route("/ws", endpoint)
        return app

    apps_ = {
        "starlette": lambda: Starlette(routes=[WebSocketRoute("/ws", serve)]),
        "fastapi": fastapi_app,
        "litestar": litestar_app,
    }
    transport = start()
    anyio.run(apps.converse, asgi_sentry.wrap(apps_[framework]()), "/ws")
    assert_it_is_whole(transport, framework)


@pytest.mark.skipif(
    "__traceback__" not in inspect.getsource(starlette_exceptions), reason="this Starlette lets frames pile up"
)
def test_an_exception_that_is_used_again_shows_the_frames_of_its_own_request(start, mode):
    """An instance on a module is raised by one request after the other."""
    again = HTTPException(503)

    def first(_: Any) -> None:
        raise again

    def second(_: Any) -> None:
        raise again

    app = asgi_sentry.wrap(Starlette(routes=[Route("/first", first), Route("/second", second)]))
    transport = start()
    for path in ("/first", "/second"):
        anyio.run(partial(request, app, path=path))  # each in a context of its own, as servers do
    frames = [event["exception"]["values"][-1]["stacktrace"]["frames"] for event in transport.items("event")]
    assert [each[-1]["function"] for each in frames] == ["first", "second"]


def test_what_its_frames_hold_is_held_no_longer_than_the_request(start, mode):
    class Large:
        """A variable of the frame that raised."""

    seen: list[Any] = []

    # No thread has a part in it: those of older anyios hold what they ran last.
    async def fail(_: Any) -> None:
        large = Large()
        seen.append(weakref.ref(large))
        raise HTTPException(503)

    start()
    app = Starlette(routes=[Route("/", fail)], exception_handlers={HTTPException: async_handler})
    app = asgi_sentry.wrap(app)
    gc.collect()
    gc.disable()
    try:
        anyio.run(request, app)
        gc.collect()  # frames and exceptions of the framework's own are circles
        assert seen[0]() is None
    finally:
        gc.enable()


def test_of_a_group_behind_another_exception_the_members_are_told(start, mode):
    """Litestar raises an exception of its own around what its stream's group of tasks raised."""

    async def fails() -> AsyncIterator[str]:
        yield "first"
        culprit(ValueError)

    @get("/")
    async def streams() -> Stream:
        return Stream(fails())

    transport = start()
    with pytest.raises(LitestarException):
        anyio.run(request, asgi_sentry.wrap(Litestar([streams], openapi_config=None)))
    (event,) = transport.items("event")
    by_type = {value["type"]: value for value in event["exception"]["values"]}
    assert by_type["ValueError"]["stacktrace"]["frames"][-1]["function"] == "culprit"
    last = event["exception"]["values"][-1]
    assert last["type"] == "LitestarException"  # the one that was raised
    assert last["mechanism"]["handled"] is False
