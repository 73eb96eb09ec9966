"""Spotlight, the SDK's local viewer, behind the door."""

from __future__ import annotations

from typing import Any

import sentry_sdk


class _GuardedSpotlight:
    """Spotlight, the SDK's local viewer, gets each envelope before the transport does: it needs the door as well."""

    def __init__(self, inner: Any, door: Any) -> None:
        self._inner = inner
        self._door = door

    def capture_envelope(self, envelope: Any) -> None:
        cleaned = self._door.clean(envelope, lambda *_, **__: None)
        if cleaned is not None:
            self._inner.capture_envelope(cleaned)


def guard_spotlight(door: Any) -> None:
    """Set the door before Spotlight, where it is on."""
    client = sentry_sdk.get_client()
    if client.spotlight is not None:
        client.spotlight = _GuardedSpotlight(client.spotlight, door)  # type: ignore[assignment]
