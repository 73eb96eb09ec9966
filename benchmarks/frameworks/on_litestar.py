"""Litestar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, get

from benchmarks.frameworks import ROUTES, work
from benchmarks.traffic import ORDER

if TYPE_CHECKING:
    from benchmarks.frameworks import SetUser


def build(set_user: SetUser) -> Any:
    def handler(route: str) -> Any:
        @get(route.replace(ORDER, "{order:int}"))
        async def endpoint(request: Request[Any, Any, Any]) -> dict[str, bool]:
            work(request.scope, request.scope["path"], set_user)
            return {"ok": True}

        return endpoint

    return Litestar([handler(route) for route in ROUTES], openapi_config=None, logging_config=None)
