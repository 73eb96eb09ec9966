"""FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request

from benchmarks.frameworks import PATHS, work

if TYPE_CHECKING:
    from benchmarks.frameworks import SetUser


def build(set_user: SetUser) -> Any:
    app = FastAPI(openapi_url=None)

    async def endpoint(request: Request) -> dict[str, bool]:
        work(request.scope, request.scope["path"], set_user)
        return {"ok": True}

    for path in PATHS:
        app.get(path)(endpoint)
    return app
