"""Without a framework."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks.frameworks import work

if TYPE_CHECKING:
    from benchmarks.frameworks import SetUser

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"11")],
}
_BODY = {"type": "http.response.body", "body": b'{"ok":true}', "more_body": False}


def build(set_user: SetUser) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["method"] == "POST":
                while (await receive())["more_body"]:
                    pass
            work(scope, scope["path"], set_user)
            if "pause" in scope:  # so that all that are in flight are so at the same time
                await asyncio.sleep(0)
            await send(_START)
            await send(_BODY)

    return app
