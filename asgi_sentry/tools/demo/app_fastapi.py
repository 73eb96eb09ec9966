"""The demo's FastAPI app, written as its documentation teaches.

Typed parameters, sync and async handlers, `Form`.
"""

# No `from __future__ import annotations`: FastAPI reads these annotations when a route is declared.
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, FastAPI, Form, Request, UploadFile, WebSocket
from fastapi.staticfiles import StaticFiles

from asgi_sentry.tools.demo import shop

router: APIRouter = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@router.post("/api/chat")
async def chat(question: dict[str, Any], fail: int = 0) -> dict[str, Any]:
    """JSON in, JSON out."""
    return await shop.chat(question, fail=bool(fail))


@router.post("/api/voice")
async def voice(request: Request, token: str, fail: int = 0) -> dict[str, Any]:
    """A binary body."""
    return await shop.voice(await request.body(), token, fail=bool(fail))


@router.post("/login")
def login(
    username: Annotated[str, Form()], password: Annotated[str, Form()], fail: int = 0
) -> dict[str, Any]:
    """A form, in a worker thread."""
    return shop.login(username, password, fail=bool(fail))


@router.post("/upload")
async def upload(
    file: UploadFile, share_password: Annotated[str, Form()], fail: int = 0
) -> dict[str, Any]:
    """A multipart form with a file."""
    return shop.upload(str(file.filename), len(await file.read()), share_password, fail=bool(fail))


@router.get("/orders/{order_id}")
async def order(order_id: str) -> dict[str, Any]:
    """A path with a parameter."""
    return await shop.order(order_id)


@router.get("/fail")
async def fail(request: Request, session: Annotated[str, Cookie()]) -> None:
    """Fails always."""
    shop.break_down(request.app.state.settings, session)


@router.websocket("/ws")
async def socket(websocket: WebSocket, fail: int = 0) -> None:
    """Answers one message."""
    await websocket.accept()
    await websocket.send_text(await shop.echo(await websocket.receive_text(), fail=bool(fail)))
    await websocket.close()


def build(settings: dict[str, str]) -> FastAPI:
    """The app; `settings` holds what the shop needs to reach its database."""
    app = FastAPI(title="The shop")
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")))
    app.state.settings = settings
    return app
