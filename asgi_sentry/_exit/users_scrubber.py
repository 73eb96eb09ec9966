"""A user's own `event_scrubber`, whose faults are counted.

The SDK lets what it raises through: the event is gone, in no client report, and `capture_message`
raises in the app. What could not be scrubbed is not sent. But the SDK takes no answer from a
scrubber, so the event is emptied, and the door drops and counts it.
"""

from __future__ import annotations

from typing import Any

from asgi_sentry import _faults as faults

_MARK = "asgi_sentry.unscrubbed"
_KEPT = ("event_id", "type", "timestamp", "start_timestamp", "level", "platform", "transaction")
"""What hooks may look for in any event.

The transaction's name is scrubbed, or dropped with the event, at the door.
"""


class UsersScrubber:
    """Calls the user's scrubber, and is otherwise that one.

    Args:
        inner: with the protocol of the SDK's `EventScrubber`.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def scrub_event(self, event: dict[str, Any]) -> None:
        """Scrub an event in place; one that could not be scrubbed is emptied and marked."""
        try:
            self._inner.scrub_event(event)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("event_scrubber", exc, "an event is not sent")
            spans = event.get("spans")
            kept = {key: event[key] for key in _KEPT if key in event}
            event.clear()
            event.update(kept)
            event["extra"] = {_MARK: True}
            if isinstance(spans, list):  # they are counted with their transaction
                event["spans"] = [{} for _ in spans]


def unscrubbed(event: Any) -> bool:
    """Whether the user's scrubber failed on an event."""
    extra = None
    if isinstance(event, dict):
        extra = event.get("extra")
    return isinstance(extra, dict) and extra.get(_MARK) is True
