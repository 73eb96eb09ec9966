"""Five layers that do nothing: what any middlewares cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.contenders import Build


class NoOp:
    """A pure ASGI middleware."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def make(build: Build) -> Any:
    app = build()
    for _ in range(5):
        app = NoOp(app)
    return app
