"""The demo's Litestar app."""

# No `from __future__ import annotations`: Litestar reads these annotations when the app is built.
from pathlib import Path
from typing import Annotated, Any

from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.connection import ASGIConnection
from litestar.datastructures import State, UploadFile
from litestar.enums import RequestEncodingType
from litestar.openapi import OpenAPIConfig
from litestar.params import Body
from litestar.static_files import create_static_files_router

from asgi_sentry.tools.demo import shop

JSONData = Annotated[dict[str, Any], Body()]
FormData = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
MultipartData = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


AnyRequest = Request[Any, Any, Any]


def _fails(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    return connection.query_params.get("fail") == "1"


@get("/health")
async def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@post("/api/chat")
async def chat(data: JSONData, request: AnyRequest) -> dict[str, Any]:
    """JSON in, JSON out."""
    return await shop.chat(data, fail=_fails(request))


@post("/api/voice")
async def voice(request: AnyRequest) -> dict[str, Any]:
    """A binary body."""
    return await shop.voice(
        await request.body(), request.query_params["token"], fail=_fails(request)
    )


@post("/login", sync_to_thread=True)
def login(data: FormData, request: AnyRequest) -> dict[str, Any]:
    """A form, in a worker thread."""
    return shop.login(data["username"], data["password"], fail=_fails(request))


@post("/upload")
async def upload(data: MultipartData, request: AnyRequest) -> dict[str, Any]:
    """A multipart form with a file."""
    file: UploadFile = data["file"]
    return shop.upload(
        file.filename, len(await file.read()), data["share_password"], fail=_fails(request)
    )


@get("/orders/{order_id:str}")
async def order(request: AnyRequest) -> dict[str, Any]:
    """A path with a parameter."""
    return await shop.order(request.path_params["order_id"])


@get("/fail")
async def fail(request: AnyRequest, state: State) -> None:
    """Fails always."""
    shop.break_down(state.settings, request.cookies["session"])


@websocket("/ws")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    """Answers one message."""
    await socket.accept()
    await socket.send_text(await shop.echo(await socket.receive_text(), fail=_fails(socket)))
    await socket.close()


def build(settings: dict[str, str]) -> Litestar:
    """The app; `settings` holds what the shop needs to reach its database."""
    static = create_static_files_router(
        path="/static", directories=[Path(__file__).with_name("static")]
    )
    return Litestar(
        [health, chat, voice, login, upload, order, fail, socket, static],
        openapi_config=OpenAPIConfig(title="The shop", version="1", path="/docs"),
        state=State({"settings": settings}),
    )
