"""Whether a client is as most are, so that its transactions may take the direct lane."""

from __future__ import annotations

from typing import Any

from asgi_sentry._sdk.fork import has_known_slots
from asgi_sentry._sdk.names import Client, has

_SHORTEST = 64  # of `max_value_length`; below that, the SDK cuts the event's own type and ids


def is_open(client: Any, *, scrubs: bool, door: Any) -> bool:
    """Whether transactions of this client can take the lane at all.

    Args:
        client: the SDK's.
        scrubs: a scrubber of the user's goes over its events.
        door: of its transport; None with a plain `sentry_sdk.init`.
    """
    whole = has("lane", "scopes", "traces", "transactions", "serializer", "frames")
    usual = type(client) is Client and "capture_event" not in vars(client)
    limit = client.options.get("max_value_length")
    if limit is not None and limit < _SHORTEST:
        return False
    return (
        whole
        and usual
        and has_known_slots
        and not scrubs
        and door is not None
        and client.spotlight is None
    )
