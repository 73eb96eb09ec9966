"""The shapes of ASGI, version 3, as they are passed on here, and what `compose` takes for a layer.

Source: https://asgi.readthedocs.io/en/latest/specs/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol, TypeAlias

__all__ = ["ASGIApp", "LayerLike", "Message", "MiddlewareEntry", "Receive", "Scope", "Send"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An app of any framework: `await app(scope, receive, send)`.

The three are `Any` because each framework has types of its own for them (Starlette mutable
mappings, Litestar typed dictionaries), and none takes another's: an app of any is taken here, and
what is given back fits any.
"""


class MiddlewareEntry(Protocol):
    """A class and its arguments, as `starlette.middleware.Middleware` holds them."""

    @property
    def cls(self) -> Callable[..., ASGIApp]:
        """What is called with the app first."""

    @property
    def args(self) -> Any:  # a tuple; older versions of Starlette say a sequence of another kind
        """What is given by position, behind the app."""

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What is given by name."""


LayerLike: TypeAlias = Callable[[ASGIApp], ASGIApp] | MiddlewareEntry
"""What `compose` takes for a layer.

A middleware class, a `functools.partial` of one, a `starlette.middleware.Middleware`, or
`callable(app) -> app`.
"""
