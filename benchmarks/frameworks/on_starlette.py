"""Starlette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.frameworks import ROUTES, work

if TYPE_CHECKING:
    from benchmarks.frameworks import SetUser


def build(set_user: SetUser) -> Any:
    async def endpoint(request: Any) -> Any:
        work(request.scope, request.scope["path"], set_user)
        return JSONResponse({"ok": True})

    return Starlette(routes=[Route(route, endpoint) for route in ROUTES])
