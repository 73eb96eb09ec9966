"""Spans of other people's layers, for whoever asks where in a stack the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry import _sdk as sdk
from asgi_sentry._middleware.root import SentryMiddleware

if TYPE_CHECKING:
    from asgi_sentry.types import ASGIApp

OP = "middleware.asgi"


def wants_middleware_spans(layer: Any) -> bool:
    """Whether a layer, as `compose` takes one, is a root that was told to have them.

    It has to be seen before the stack is made: a class that is called later, in a function, is not.
    """
    # A partial, or Starlette's `Middleware`.
    made_by = getattr(layer, "func", None) or getattr(layer, "cls", None)
    options = getattr(layer, "keywords", None) or getattr(layer, "kwargs", None) or {}
    return made_by is SentryMiddleware and bool(options.get("middleware_spans"))


class SpannedLayer:
    """A layer of other people's, and a span around each request that it passes on or answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app  # by this name the layers above see through it
        self._name = getattr(app, "__qualname__", None) or type(app).__qualname__

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        __tracebackhide__ = True
        if scope.get("type") not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        with sdk.span(OP, self._name):
            return await self.app(scope, receive, send)
