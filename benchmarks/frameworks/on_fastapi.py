"""FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request

from benchmarks.frameworks import ROUTES, work
from benchmarks.transport import Bench

if TYPE_CHECKING:
    from benchmarks.frameworks import SetUser


def build(set_user: SetUser) -> Any:
    app = FastAPI(openapi_url=None)

    async def endpoint(request: Request) -> dict[str, bool]:
        if request.method == "POST":
            await request.json()
        work(request.scope, request.scope["path"], set_user)
        return {"ok": True}

    @app.get("/stats")
    async def stats() -> dict[str, int]:
        """For the guards of a server in another process."""
        return Bench.counts()

    for route in ROUTES:
        app.api_route(route, methods=["GET", "POST"])(endpoint)
    return app
