"""The demo's Starlette app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from asgi_sentry.tools.demo import shop

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket


def _fails(connection: Request | WebSocket) -> bool:
    return connection.query_params.get("fail") == "1"


async def health(request: Request) -> Response:
    """Alive."""
    return JSONResponse({"status": "ok"})


async def docs(request: Request) -> Response:
    """A page of documentation."""
    return HTMLResponse("<h1>The shop's API</h1>")


async def chat(request: Request) -> Response:
    """JSON in, JSON out."""
    return JSONResponse(await shop.chat(await request.json(), fail=_fails(request)))


async def voice(request: Request) -> Response:
    """A binary body, read as a stream."""
    audio = b"".join([chunk async for chunk in request.stream()])
    return JSONResponse(
        await shop.voice(audio, request.query_params["token"], fail=_fails(request))
    )


async def login(request: Request) -> Response:
    """A form."""
    form = await request.form()
    user, password = str(form["username"]), str(form["password"])
    return JSONResponse(await run_in_threadpool(shop.login, user, password, fail=_fails(request)))


async def upload(request: Request) -> Response:
    """A multipart form with a file."""
    async with request.form() as form:
        file, password = form["file"], str(form["share_password"])
        if not isinstance(file, UploadFile):
            return JSONResponse({"detail": "file must be a file"}, 400)
        content = await file.read()
        return JSONResponse(
            shop.upload(str(file.filename), len(content), password, fail=_fails(request))
        )


async def order(request: Request) -> Response:
    """A path with a parameter."""
    return JSONResponse(await shop.order(request.path_params["order_id"]))


async def fail(request: Request) -> Response:
    """Fails always."""
    shop.break_down(request.app.state.settings, request.cookies["session"])
    return Response()


async def socket(websocket: WebSocket) -> None:
    """Answers one message."""
    await websocket.accept()
    await websocket.send_text(
        await shop.echo(await websocket.receive_text(), fail=_fails(websocket))
    )
    await websocket.close()


def build(settings: dict[str, str]) -> Starlette:
    """The app; `settings` holds what the shop needs to reach its database."""
    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/docs", docs),
            Route("/api/chat", chat, methods=["POST"]),
            Route("/api/voice", voice, methods=["POST"]),
            Route("/login", login, methods=["POST"]),
            Route("/upload", upload, methods=["POST"]),
            Route("/orders/{order_id}", order),
            Route("/fail", fail),
            WebSocketRoute("/ws", socket),
            Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
        ]
    )
    app.state.settings = settings
    return app
