"""Events that a client is handed by hand, without a scope.

No event processor sees them, and so nothing of ours but a door. Where the client that sends has
none, what a request hands to it would leave as it is; so the client's own method tells us of such
events first.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import Client

if TYPE_CHECKING:
    from collections.abc import Callable

on_capture: list[Callable[[Any, dict[str, Any]], dict[str, Any] | None]] = []
"""Called with a client and an event that it is handed without a scope."""


_own: Any = getattr(Client, "capture_event", None)


def capture_event(
    self: Any, event: Any, hint: Any = None, scope: Any = None, *args: Any, **kwargs: Any
) -> Any:
    """As the client's own, which is called; what comes with a scope is looked at by processors."""
    if scope is None:
        for look in on_capture:
            event = look(self, event)
            if event is None:
                return None
    return _own(self, event, hint, scope, *args, **kwargs)


def listen() -> None:
    """Look at what clients are handed by hand; not if somebody else does so by the same method."""
    own: Any = getattr(Client, "capture_event", None)
    if own is not None and own is _own:
        functools.update_wrapper(capture_event, own)
        Client.capture_event = capture_event  # type: ignore[method-assign]
