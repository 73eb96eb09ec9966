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


def listen() -> None:
    """Look at what clients are handed by hand.

    Not if the method for it is not as we know it, or not the SDK's own.
    """
    own = getattr(Client, "capture_event", None)
    if (
        own is None
        or own.__module__ != Client.__module__
        or own.__name__ != own.__qualname__.rpartition(".")[2]
    ):
        return
    if getattr(own, "__wrapped__", None) is not None:
        return

    @functools.wraps(own)
    def capture_event(
        self: Any, event: Any, hint: Any = None, scope: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        if scope is None:
            for look in on_capture:
                event = look(self, event)
                if event is None:
                    return None
        return own(self, event, hint, scope, *args, **kwargs)

    Client.capture_event = capture_event  # type: ignore[method-assign]
