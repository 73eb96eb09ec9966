"""The payload of any envelope item, by the item's type; of an unknown one everything is data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry.events import EVENT, SCHEMAS, scrub_fields
from asgi_sentry._scrubbing.sentry.telemetry import scrub_batch
from asgi_sentry._scrubbing.tree.value import scrub_value

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.events import Sections
    from asgi_sentry._scrubbing.tree.notes import Redaction

_BATCHED = frozenset({"span", "log", "trace_metric"})


def scrub_item(
    ruleset: Ruleset, kind: str, payload: Any, taint: Any, sections: Sections, found: list[Redaction] | None
) -> Any:
    """The payload of an envelope item without secrets."""
    if kind == "client_report":
        return payload
    if kind in _BATCHED and isinstance(payload, dict) and isinstance(payload.get("items"), list):
        return scrub_batch(ruleset, payload, taint, found)
    if callable(taint):
        taint = None
    schema = SCHEMAS.get(kind)
    if schema is not None and isinstance(payload, dict):
        notes = scrub_fields(ruleset, payload, schema, taint, sections, found)
        if schema is EVENT:
            notes.remark(payload)
        return payload
    if isinstance(payload, (bytes, bytearray)) and b"\0" in payload[:8192]:
        return payload  # an image or an archive: no text to read
    return scrub_value(ruleset, payload, taint, (), found)
