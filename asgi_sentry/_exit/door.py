"""The last place before the transport: everything that leaves goes through here, and is scrubbed here last.

By now every event processor and every hook of the user's has run, so nothing can be added behind our back. An item
that can't be scrubbed is not sent, and counted as lost. What belongs to a request says so by a tag (`tag.Tag`):
in an event the event id, in a log, a metric or a streamed span one attribute, put there by the hooks of this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentry_sdk.envelope import Envelope, Item, PayloadRef

from asgi_sentry import _faults as faults
from asgi_sentry._request.record import current
from asgi_sentry._request.tag import Tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._scrubbing import Scrubber, Taint

    Hook = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any] | None]

ATTRIBUTE = "asgi_sentry._request.record"  # of telemetry on its way to the door; never sent
_EVENTS = frozenset({"event", "transaction"})
_BATCHED = frozenset({"span", "log", "trace_metric"})
_COUNTS = frozenset({"client_report"})  # numbers by reason and category, made by the SDK itself


class Door:
    """Scrubs envelopes.

    Args:
        scrubber: for everything that no layer has a scrubber of its own for.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self.scrubber = scrubber

    def clean(self, envelope: Envelope, lose: Callable[..., None]) -> Envelope | None:
        """A new envelope with each item scrubbed; None if nothing is left of it.

        Args:
            envelope: on its way to the transport. It is not used again.
            lose: the transport's `record_lost_event`.
        """
        items = []
        headers = dict(envelope.headers)
        names: dict[str, str] = {}
        for item in envelope.items:
            try:
                if item.type in _COUNTS:
                    items.append(item)
                elif self._admits(item):
                    items.append(self._clean_item(item, names))
                else:  # what its processor would have counted, had it known then what it knows after the hooks
                    lose("event_processor", item=item)
            except Exception as exc:
                faults.note(f"scrubbing an item of type {item.type}", exc, "it is not sent")
                lose("internal_sdk_error", item=item)
        if not items:
            return None
        if isinstance(headers.get("event_id"), Tag):
            headers["event_id"] = headers["event_id"].plain()
        if "trace" in headers:  # the dynamic sampling context: ids, rates, and a name that the user may have set
            headers["trace"] = self._clean_trace(headers["trace"], names)
        return Envelope(headers=headers, items=items)

    def _admits(self, item: Item) -> bool:
        event: Any = item.payload.json
        if item.type != "event" or not isinstance(event, dict):
            return True
        event_id = event.get("event_id")
        if isinstance(event_id, Tag):
            return event_id.report.admits(event)
        record = current()  # a hook made the event anew, in the request's context all the same
        return record is None or record.report().admits(event)

    def _clean_item(self, item: Item, names: dict[str, str]) -> Item:
        """The item, scrubbed; into `names` goes what became of an event's transaction name, for the trace header."""
        kind, payload = item.type or "", item.payload
        if payload.json is None:
            return self._clean_bytes(item)
        content = payload.json
        if kind in _EVENTS:
            name = content.get("transaction")
            self._clean_event(content)
            if isinstance(name, str):
                names[name] = str(content.get("transaction"))
        elif kind in _BATCHED:
            content = {**content, "items": [self._clean_entry(kind, entry) for entry in content["items"]]}
        else:
            content = self.scrubber.clean_item(kind, content, taint=_taint_around())
        return Item(payload=PayloadRef(json=content), headers=item.headers)

    def _clean_event(self, event: dict[str, Any]) -> None:
        event_id = event.get("event_id")
        if isinstance(event_id, Tag):
            event["event_id"] = event_id.plain()
            event_id.report.clean_event(event, event_id.clean)
            return
        record = current()
        if record is None:
            self.scrubber.clean_event(event)
        else:  # a hook made the event anew; it was made in the request's context all the same
            record.report().clean_event(event)

    def _clean_entry(self, kind: str, entry: dict[str, Any]) -> dict[str, Any]:
        tag = ((entry.get("attributes") or {}).pop(ATTRIBUTE, None) or {}).get("value")
        if isinstance(tag, Tag):
            return tag.report.clean_telemetry(kind, entry)
        payload = self.scrubber.clean_item(kind, {"items": [entry]})
        cleaned: dict[str, Any] = payload["items"][0]
        return cleaned

    def _clean_bytes(self, item: Item) -> Item:
        """An attachment, or an item of a kind that the SDK did not have when this was written."""
        cleaned = self.scrubber.clean_item(item.type or "", item.get_bytes(), taint=_taint_around())
        return Item(payload=PayloadRef(bytes=cleaned), headers=item.headers)

    def _clean_trace(self, trace: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
        name = trace.get("transaction")
        if not isinstance(name, str):
            return trace
        cleaned = names.get(name)
        return {**trace, "transaction": self.scrubber.scrub_text(name) if cleaned is None else cleaned}


def _taint_around() -> Taint | None:
    """What is secret of the request on whose behalf an item is sent that has no room for a tag."""
    record = current()
    return record.report().taint() if record is not None else None


def telemetry_hook(user_hook: Hook | None) -> Hook:
    """A `before_send_log`, `_metric` or `_span`: the user's own, then the request's tag and user.

    It runs where the item is made, in the context of its request; the door runs later, in the thread that flushes.
    """

    def hook(item: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any] | None:
        sent = item if user_hook is None else user_hook(item, hint)
        record = current()
        if not isinstance(sent, dict) or record is None:
            return sent
        try:
            attributes = sent.setdefault("attributes", {})
            record.report().enrich(attributes)
            attributes[ATTRIBUTE] = Tag("", record.report())
        except Exception as exc:
            faults.note("describing the request", exc, "an item goes without it")
        return sent

    return hook
