"""Spotlight, the SDK's local viewer, behind the door."""

from __future__ import annotations

from typing import Any


class _GuardedSpotlight:
    """Spotlight, the SDK's local viewer, gets each envelope before the transport does.

    It needs the door as well.
    """

    def __init__(self, inner: Any, door: Any, client: Any) -> None:
        self._inner = inner
        self._door = door
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)  # its `url`, for one

    def capture_envelope(self, envelope: Any) -> None:
        # The transport gets the same items afterwards: what is lost here does not get there, and
        # counts there.
        transport = self._client.transport
        lose = transport.record_lost_event if transport is not None else lambda *_, **__: None
        scrubbed = self._door.scrub(envelope, lose)
        if scrubbed is not None:
            self._inner.capture_envelope(scrubbed)


def guard_spotlight(client: Any, door: Any) -> None:
    """Set the door before a client's Spotlight, where it is on."""
    if client.spotlight is not None and not isinstance(client.spotlight, _GuardedSpotlight):
        door.waits = False  # the transport is given the same items
        client.spotlight = _GuardedSpotlight(client.spotlight, door, client)
