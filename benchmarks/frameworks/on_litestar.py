"""Litestar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, get

from benchmarks.frameworks import PATHS, work

if TYPE_CHECKING:
    from benchmarks.frameworks import SetUser


def build(set_user: SetUser) -> Any:
    def handler(path: str) -> Any:
        @get(path)
        async def endpoint(request: Request[Any, Any, Any]) -> dict[str, bool]:
            work(request.scope, path, set_user)
            return {"ok": True}

        return endpoint

    return Litestar([handler(path) for path in PATHS], openapi_config=None, logging_config=None)
