"""Logs, metrics and streamed spans.

Entries in batches, each with attributes that have values and types.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry.logentry import is_secret, secret_parameters
from asgi_sentry._scrubbing.sentry.schema import DATA, FIXED, ID, TEXT, add, add_fixed
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.tree.notes import Redaction, place_of
from asgi_sentry._scrubbing.tree.plain import Copier, NotPlainError, quick_copy
from asgi_sentry._scrubbing.tree.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.schema import Action
    from asgi_sentry._scrubbing.taint import Taint

ENTRY: dict[str, Action] = {
    **dict.fromkeys(
        ("timestamp", "start_timestamp", "end_timestamp", "trace_id", "span_id", "parent_span_id"),
        ID,
    ),
    **dict.fromkeys(
        ("level", "severity_number", "status", "is_segment", "type", "is_remote", "kind"), ID
    ),
    "unit": FIXED,
    "body": TEXT,
    "name": TEXT,
}
# Attributes that the SDK writes of itself and of the program:
# https://develop.sentry.dev/sdk/telemetry/attributes/
_FIXED_ATTRIBUTES = re.compile(
    r"sentry\.(?:release|environment|sdk\.|origin|op\Z|trace\.|severity_|dsc\.|profiler_id"
    r"|segment\.id|span\.source|category|platform)"
    r"|server\.address|code\.|thread\.|process\.(?:pid|runtime|executable)|os\.|telemetry\."
    r"|logger\.name|url\.template\Z|http\.route\Z|http\.request\.method|http\.response\.status"
)
_TEMPLATE = "sentry.message.template"
# Ids that the SDK draws: one in some is all digits, and one in ten of these passes for a card.
_ID_ATTRIBUTES = frozenset(
    {"sentry.segment.id", "sentry.profiler_id", "sentry.trace.parent_span_id", "thread.id"}
)
_DRAWN = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}|[0-9]{1,20}")


def _scrub_parameters(walk: Walk, attributes: dict[str, Any], place: Any) -> None:
    """Redact the parameters of a log message that fill in the value of a sensitive key."""
    template = attributes.get(_TEMPLATE)
    text = template.get("value") if isinstance(template, dict) else None
    for parameter in secret_parameters(text, walk.ruleset) if isinstance(text, str) else ():
        name = f"sentry.message.parameter.{parameter.which}"
        held = attributes.get(name)
        if isinstance(held, dict) and is_secret(held.get("value"), parameter):
            walk.secrets.append(held["value"])
            held.update(value=FILTERED, type="string")
            walk.notes.add((place, name), "value", PASSWORD)


def _add_attributes(walk: Walk, attributes: dict[str, Any], place: Any) -> Callable[[], None]:
    """Put attributes on a walk.

    The result writes the finished values back, each with its true type.
    """
    values: dict[Any, Any] = {}
    _scrub_parameters(walk, attributes, place)
    for key, held in attributes.items():
        if not isinstance(held, dict) or "value" not in held:
            values[key] = held
        elif (
            key in _ID_ATTRIBUTES
            and isinstance(held["value"], str)
            and _DRAWN.fullmatch(held["value"])
        ):
            continue
        elif isinstance(key, str) and _FIXED_ATTRIBUTES.match(key):
            add_fixed(walk, held["value"], held, "value", (place, key))
        elif key == _TEMPLATE:
            walk.words(held["value"], held, "value", (place, key))
        else:
            values[key] = held["value"]
    scrubbed = dict(values)
    walk.members(values, scrubbed, place)

    def write_back() -> None:
        for key in list(attributes):  # taken out and put back, so that the order stays
            held = attributes.pop(key)
            if key not in values:
                attributes[key] = held
            elif isinstance(held, dict) and "value" in held:
                held["value"] = value = scrubbed.get(key, FILTERED)
                if isinstance(value, str):
                    held["type"] = "string"
                attributes[key] = held
            else:
                attributes[key] = scrubbed.get(key, FILTERED)

    return write_back


def scrub_attributes(
    ruleset: Ruleset,
    attributes: dict[str, Any],
    taint: Taint | None,
    path: tuple[Any, ...],
    found: list[Redaction] | None,
) -> None:
    """Scrub the attributes of one span, log or metric in place."""
    for exact in (False, True):
        try:
            copier, holder = Copier(lenient=True), {"": attributes}
            own = _copied(attributes, holder, "", copier, exact=exact)
            walk = Walk(ruleset)
            write_back = _add_attributes(walk, own, place_of(path))
            walk.finish(taint)
            write_back()
            copier.restore()
        except NotPlainError:
            continue
        except Exception:
            break
        attributes.clear()
        attributes.update(own)
        if found is not None:
            found.extend(walk.notes.redactions())
        return
    attributes.clear()
    if found is not None:
        found.append(Redaction(path, "@error"))


def _copied(value: Any, holder: Any, key: Any, copier: Copier, *, exact: bool) -> Any:
    if not exact:
        try:
            holder[key] = quick_copy(value)
        except NotPlainError:
            copier.put(value, holder, key)
    else:
        copier.put(value, holder, key)
    return holder[key]


def scrub_batch(
    ruleset: Ruleset,
    payload: dict[str, Any],
    taint: Any,
    found: list[Redaction] | None,
    secrets: list[str] | None = None,
) -> dict[str, Any]:
    """A batch without secrets.

    Entries of one taint are scrubbed together, which is what makes a batch cheap.

    Args:
        ruleset: what decides.
        payload: with `items`.
        taint: what else is secret, or a function that tells it for each entry.
        found: takes what was redacted.
        secrets: takes the credentials that were redacted.
    """
    entries = payload["items"]
    groups: dict[int, tuple[Taint | None, list[int]]] = {}
    for index, entry in enumerate(entries):
        of = taint(entry) if callable(taint) else taint
        groups.setdefault(id(of), (of, []))[1].append(index)
    items: list[Any] = [None] * len(entries)
    for of, members in groups.values():
        try:
            try:
                walk = _scrub_entries(ruleset, entries, members, items, of, exact=False)
            except NotPlainError:
                walk = _scrub_entries(ruleset, entries, members, items, of, exact=True)
            notes: Iterable[Redaction] = walk.notes.redactions()
            if secrets is not None:
                secrets.extend(walk.secrets)
        except Exception:
            notes = [Redaction(("items", index), "@error") for index in members]
            for index in members:
                entry = entries[index]
                kept = entry.items() if isinstance(entry, dict) else ()
                items[index] = {key: value for key, value in kept if ENTRY.get(key) == ID}
        if found is not None:
            found.extend(notes)
    return {**payload, "items": items}


def _scrub_entries(
    ruleset: Ruleset,
    entries: list[Any],
    members: list[int],
    items: list[Any],
    taint: Taint | None,
    *,
    exact: bool,
) -> Walk:
    walk, copier = Walk(ruleset), Copier(lenient=True)
    endings = []
    for index in members:
        item = _copied(entries[index], items, index, copier, exact=exact)
        if not isinstance(item, dict):
            walk.add(item, items, index, (None, "items"))
            continue
        here = ((None, "items"), index)
        for field, value in item.items():
            if field == "attributes" and isinstance(value, dict):
                endings.append(_add_attributes(walk, value, (here, field)))
            elif value is not None:
                add(walk, ENTRY.get(field, DATA), value, item, field, here)
    walk.finish(taint)
    for write_back in endings:
        write_back()
    copier.restore()
    return walk
