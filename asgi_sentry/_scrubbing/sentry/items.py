"""The payload of any envelope item, by the item's type; of an unknown one everything is data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.bodies.attachments import read_attachment
from asgi_sentry._scrubbing.sentry.events import scrub_fields
from asgi_sentry._scrubbing.sentry.fields import EVENT, SCHEMAS
from asgi_sentry._scrubbing.sentry.telemetry import scrub_batch
from asgi_sentry._scrubbing.tree.notes import Redaction
from asgi_sentry._scrubbing.tree.value import scrub_value

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.events import Sections
    from asgi_sentry._scrubbing.taint import Taint

_BATCHED = frozenset({"span", "log", "trace_metric"})


def scrub_item(
    ruleset: Ruleset,
    kind: str,
    payload: Any,
    taint: Any,
    sections: Sections,
    found: list[Redaction] | None,
    secrets: list[str] | None = None,
) -> Any:
    """The payload of an envelope item without secrets.

    None for bytes that can't be read, which must not be sent.
    """
    if kind == "client_report":
        return payload
    if kind in _BATCHED and isinstance(payload, dict) and isinstance(payload.get("items"), list):
        return scrub_batch(ruleset, payload, taint, found, secrets)
    if callable(taint):
        taint = None
    schema = SCHEMAS.get(kind)
    if schema is not None and isinstance(payload, dict):
        notes = scrub_fields(ruleset, payload, schema, taint, sections, found, secrets)
        if schema is EVENT:
            notes.remark(payload)
        return payload
    if isinstance(payload, (bytes, bytearray)):
        return _scrub_bytes(ruleset, bytes(payload), taint, found)
    return scrub_value(ruleset, payload, taint, (), found)


def _scrub_bytes(
    ruleset: Ruleset, raw: bytes, taint: Taint | None, found: list[Redaction] | None
) -> bytes | None:
    """What is left of an attachment, in its own charset, packed as it was.

    None if it can't be read.
    """
    read = read_attachment(raw)
    if read is None:
        return None
    text = read.text
    if taint:
        text = taint.found_in([text]).get(text, text)
    text, rules = ruleset.texts.scrubbed(text)
    if found is not None:
        found.extend(Redaction((), rule) for rule in rules)
    return raw if text == read.text else read.with_text(text)
