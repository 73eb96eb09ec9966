"""Small real apps with the same routes in each framework, and clients that call them without a server."""

# No `from __future__ import annotations`: the frameworks read these annotations when an app is built.
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from fastapi import BackgroundTasks, FastAPI
from fastapi import HTTPException as FastAPIHTTPException
from fastapi import Request as FastAPIRequest
from fastapi import WebSocket as FastAPIWebSocket
from litestar import Litestar, get, route, websocket
from litestar import MediaType as LitestarMediaType
from litestar import Request as LitestarRequest
from litestar import Response as LitestarResponse
from litestar import WebSocket as LitestarWebSocket
from litestar.background_tasks import BackgroundTask as LitestarBackgroundTask
from litestar.exceptions import HTTPException as LitestarHTTPException
from litestar.middleware import DefineMiddleware
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

logger = logging.getLogger("tests.app")

Inside = Iterable[tuple[type, dict[str, Any]]]
Work = Callable[[Any], Any]


class Teapot(Exception):
    """Answered with 503 by a sync exception handler."""


class Kettle(Exception):
    """Answered with 503 by an async exception handler."""


class Spoon(Exception):
    """Answered with 418, which is no failure, by an exception handler."""


def nothing(_: Any) -> None:
    """The default work of `/work`."""


# -- what the routes do, framework left aside ----------------------------------------------------------------------


def fail(text: str = "boom") -> None:
    raise RuntimeError(text)


def fail_with_cause() -> None:
    try:
        fail("the cause")
    except RuntimeError as cause:
        raise ValueError("boom") from cause


def log_and_raise() -> None:
    try:
        fail()
    except RuntimeError:
        logger.exception("it failed")
        raise


def log_and_go_on() -> None:
    try:
        fail()
    except RuntimeError:
        logger.exception("it failed")


def log_elsewhere_then_raise() -> None:
    """A plain thread logs the exception before it is raised here."""
    try:
        fail()
    except RuntimeError as exc:
        thread = threading.Thread(target=partial(logger.error, "it failed", exc_info=exc))
        thread.start()
        thread.join()
        raise


async def log_in_worker_and_raise() -> None:
    await anyio.to_thread.run_sync(log_and_raise)


async def chunks() -> AsyncIterator[bytes]:
    yield b"first"
    yield b"second"
    fail()


# -- Starlette -----------------------------------------------------------------------------------------------------


async def _handled_async(_: Any, exc: Exception) -> JSONResponse:
    return JSONResponse({"error": type(exc).__name__}, 503)


def _handled(status: int) -> Callable[[Any, Exception], JSONResponse]:
    def handle(_: Any, exc: Exception) -> JSONResponse:
        return JSONResponse({"error": type(exc).__name__}, status)

    return handle


STARLETTE_HANDLERS = {Teapot: _handled(503), Kettle: _handled_async, Spoon: _handled(418)}


def _starlette_routes(work: Work) -> dict[str, Callable[..., Any]]:
    """The plain routes, path to endpoint, as functions of a Starlette request."""

    async def ok(request: Request) -> JSONResponse:
        return JSONResponse({"id": request.path_params.get("item_id")})

    async def worked(request: Request) -> JSONResponse:
        result = work(request)
        if hasattr(result, "__await__"):
            result = await result
        return JSONResponse({"worked": result})

    def worked_in_thread(request: Request) -> JSONResponse:
        return JSONResponse({"worked": work(request)})

    async def echo(request: Request) -> JSONResponse:
        return JSONResponse({"size": len(await request.body())})

    async def boom(_: Request) -> None:
        fail()

    def boom_in_thread(_: Request) -> None:
        fail()

    async def caused(_: Request) -> None:
        fail_with_cause()

    async def http_500(_: Request) -> None:
        raise HTTPException(500, "out of order")

    async def http_404(_: Request) -> None:
        raise HTTPException(404, "no such thing")

    async def raising(kind: type[Exception], _: Request) -> None:
        raise kind("boom")

    async def logged(_: Request) -> None:
        log_and_raise()

    async def swallowed(_: Request) -> JSONResponse:
        log_and_go_on()
        return JSONResponse({})

    async def logged_in_thread(_: Request) -> None:
        log_elsewhere_then_raise()

    async def logged_in_worker(_: Request) -> None:
        await log_in_worker_and_raise()

    async def background(_: Request) -> JSONResponse:
        return JSONResponse({}, background=BackgroundTask(fail))

    async def streams(_: Request) -> StreamingResponse:
        return StreamingResponse(chunks())

    return {
        "/items/{item_id}": ok,
        "/health": ok,
        "/health/boom": boom,
        "/work": worked,
        "/work-in-thread": worked_in_thread,
        "/echo": echo,
        "/boom": boom,
        "/boom-in-thread": boom_in_thread,
        "/caused": caused,
        "/http-500": http_500,
        "/http-404": http_404,
        "/teapot": partial(raising, Teapot),
        "/kettle": partial(raising, Kettle),
        "/spoon": partial(raising, Spoon),
        "/logged": logged,
        "/swallowed": swallowed,
        "/logged-in-thread": logged_in_thread,
        "/logged-in-worker": logged_in_worker,
        "/background": background,
        "/streams": streams,
    }


METHODS = ["GET", "POST", "HEAD", "OPTIONS"]


def _sockets(work: Work) -> dict[str, Callable[[Any], Any]]:
    """The websocket routes; Starlette's, FastAPI's and Litestar's sockets agree in what is used here."""

    async def talk(socket: Any) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        work(socket)
        await socket.close()

    async def refuse(socket: Any) -> None:
        await socket.close(code=4403)

    async def boom_before(_: Any) -> None:
        fail()

    async def boom_after(socket: Any) -> None:
        await socket.accept()
        await socket.receive_text()
        fail()

    return {
        "/ws/talk": talk,
        "/ws/refuse": refuse,
        "/ws/boom-before": boom_before,
        "/ws/boom-after": boom_after,
    }


def starlette_app(inside: Inside = (), *, work: Work = nothing, **options: Any) -> Starlette:
    routes: list[Any] = [Route(path, each, methods=METHODS) for path, each in _starlette_routes(work).items()]

    def socket_route(path: str, endpoint: Callable[[Any], Any]) -> WebSocketRoute:
        async def serve(websocket: WebSocket) -> None:
            await endpoint(websocket)

        return WebSocketRoute(path, serve)

    routes += [socket_route(path, endpoint) for path, endpoint in _sockets(work).items()]
    return Starlette(
        routes=routes,
        middleware=[Middleware(cls, **arguments) for cls, arguments in inside],
        exception_handlers=STARLETTE_HANDLERS,
        **options,
    )


# -- FastAPI -------------------------------------------------------------------------------------------------------


def fastapi_app(inside: Inside = (), *, work: Work = nothing, **options: Any) -> FastAPI:
    app = FastAPI(
        middleware=[Middleware(cls, **arguments) for cls, arguments in inside],
        exception_handlers=STARLETTE_HANDLERS,
        openapi_url=None,
        **options,
    )

    def add(path: str, endpoint: Callable[[Any], Any]) -> None:
        async def serve(request: FastAPIRequest) -> Any:
            return await endpoint(request)

        def serve_in_thread(request: FastAPIRequest) -> Any:
            return endpoint(request)

        in_thread = path in {"/work-in-thread", "/boom-in-thread"}
        app.add_api_route(path, serve_in_thread if in_thread else serve, methods=METHODS, response_model=None)

    def add_socket(path: str, endpoint: Callable[[Any], Any]) -> None:
        async def serve(websocket: FastAPIWebSocket) -> None:
            await endpoint(websocket)

        app.add_api_websocket_route(path, serve)

    async def http_500(_: FastAPIRequest) -> None:
        raise FastAPIHTTPException(500, "out of order")

    def background(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(fail)
        return {}

    for path, endpoint in {**_starlette_routes(work), "/http-500": http_500}.items():
        if path != "/background":
            add(path, endpoint)
    app.add_api_route("/background", background, methods=METHODS)
    for path, endpoint in _sockets(work).items():
        add_socket(path, endpoint)
    return app


# -- Litestar ------------------------------------------------------------------------------------------------------


def litestar_app(inside: Inside = (), *, work: Work = nothing, **options: Any) -> Litestar:
    both = partial(route, http_method=["GET", "POST"], media_type=LitestarMediaType.JSON)

    def raising(path: str, action: Callable[[], Any]) -> Any:
        @both(path, name=path)
        async def serve() -> dict[str, str]:
            result = action()
            if hasattr(result, "__await__"):
                await result
            return {}

        return serve

    def throw(exc: Callable[[], Exception]) -> None:
        raise exc()

    @get("/items/{item_id:str}")
    async def item(request: LitestarRequest[Any, Any, Any]) -> dict[str, str]:
        return {"id": request.path_params["item_id"]}

    @route("/health", http_method=["GET", "HEAD", "OPTIONS"])
    async def health() -> None:
        return None

    @both("/work")
    async def worked(request: LitestarRequest[Any, Any, Any]) -> dict[str, Any]:
        result = work(request)
        if hasattr(result, "__await__"):
            result = await result
        return {"worked": result}

    @both("/work-in-thread", sync_to_thread=True)
    def worked_in_thread(request: LitestarRequest[Any, Any, Any]) -> dict[str, Any]:
        return {"worked": work(request)}

    @both("/boom-in-thread", sync_to_thread=True)
    def boom_in_thread() -> dict[str, Any]:
        fail()
        return {}

    @both("/echo")
    async def echo(request: LitestarRequest[Any, Any, Any]) -> dict[str, int]:
        return {"size": len(await request.body())}

    @both("/background")
    async def background() -> LitestarResponse[dict[str, str]]:
        return LitestarResponse({}, background=LitestarBackgroundTask(_fail_async))

    @both("/streams")
    async def streams() -> Stream:
        return Stream(chunks())

    def socket(path: str, endpoint: Callable[[Any], Any]) -> Any:
        @websocket(path, name=path)
        async def serve(socket: LitestarWebSocket[Any, Any, Any]) -> None:
            await endpoint(socket)

        return serve

    def answer(status: int) -> Callable[[Any, Exception], LitestarResponse[Any]]:
        return lambda _, exc: LitestarResponse({"error": type(exc).__name__}, status_code=status)

    actions: dict[str, Callable[[], Any]] = {
        "/health/boom": fail,
        "/boom": fail,
        "/caused": fail_with_cause,
        "/http-500": lambda: throw(lambda: LitestarHTTPException(detail="out of order", status_code=500)),
        "/http-404": lambda: throw(lambda: LitestarHTTPException(detail="no such thing", status_code=404)),
        "/teapot": lambda: throw(lambda: Teapot("boom")),
        "/kettle": lambda: throw(lambda: Kettle("boom")),
        "/spoon": lambda: throw(lambda: Spoon("boom")),
        "/logged": log_and_raise,
        "/swallowed": log_and_go_on,
        "/logged-in-thread": log_elsewhere_then_raise,
        "/logged-in-worker": log_in_worker_and_raise,
    }
    return Litestar(
        [
            item,
            health,
            worked,
            worked_in_thread,
            boom_in_thread,
            echo,
            background,
            streams,
            *(raising(path, action) for path, action in actions.items()),
            *(socket(path, endpoint) for path, endpoint in _sockets(work).items()),
        ],
        middleware=[DefineMiddleware(cls, **arguments) for cls, arguments in inside],
        exception_handlers={Teapot: answer(503), Kettle: answer(503), Spoon: answer(418)},
        openapi_config=None,
        **options,
    )


async def _fail_async() -> None:
    fail()


FRAMEWORKS: dict[str, Callable[..., Any]] = {
    "fastapi": fastapi_app,
    "starlette": starlette_app,
    "litestar": litestar_app,
}


# -- middlewares of other people -----------------------------------------------------------------------------------


class Foreign:
    """A pure ASGI middleware that holds its app openly."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def hiding(app: Any) -> Any:
    """A middleware as a closure: nobody can look through it."""

    async def hidden(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return hidden


class Base(BaseHTTPMiddleware):
    """The app runs in a child task, and messages pass through a stream."""

    async def dispatch(self, request: Request, call_next: Any) -> Any:
        return await call_next(request)


# -- clients -------------------------------------------------------------------------------------------------------


class Conversation(NamedTuple):
    """What a websocket's client saw: the types of the messages, and what the app raised."""

    sent: list[dict[str, Any]]
    raised: BaseException | None

    @property
    def kinds(self) -> list[str]:
        return [message["type"].removeprefix("websocket.") for message in self.sent]


async def converse(
    app: Any, path: str, *texts: str, headers: Iterable[tuple[str, str]] = (), query: bytes = b"", **scope: Any
) -> Conversation:
    """Connect to a websocket, say the texts, and hang up."""
    incoming = iter(
        [
            {"type": "websocket.connect"},
            *({"type": "websocket.receive", "text": text} for text in texts),
        ]
    )
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(incoming, {"type": "websocket.disconnect", "code": 1005})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    full = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "subprotocols": [],
        **scope,
    }
    try:
        await app(full, receive, send)
    except Exception as exc:
        return Conversation(sent, exc)
    return Conversation(sent, None)


def unrolled(exc: BaseException) -> list[BaseException]:
    """An exception, its causes and contexts, and the members of groups among them."""
    seen: list[BaseException] = []
    waiting = [exc]
    while waiting:
        each = waiting.pop()
        if any(each is other for other in seen):
            continue
        seen.append(each)
        waiting += [inner for inner in (each.__cause__, each.__context__) if inner is not None]
        waiting += getattr(each, "exceptions", ())
    return seen
