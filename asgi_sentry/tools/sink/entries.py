"""What the page lists: an entry for each error, transaction, log, ..., and what it is found by.

An item of an envelope is one entry, or, for logs, metrics and streamed spans, as many as its batch
holds. Whatever a payload says is taken as a stranger's word: any type may stand anywhere, every
text is cut to a length.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgi_sentry.tools.sink.foreign import (
    LONG,
    SHORT,
    attributes_of,
    dict_of,
    list_of,
    moment,
    number_of,
    of,
    path_of,
    rate_of,
    text,
    user_of,
)
from asgi_sentry.tools.sink.redactions import UNTOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asgi_sentry.tools.sink.envelope import Envelope, Item

# Reading payloads is most of what the sink does; this reads them in half the time.
_orjson: Any = None
with contextlib.suppress(ImportError):
    _orjson = import_module("orjson")

KINDS: Mapping[str, str] = {
    "error": "Errors",
    "transaction": "Transactions",
    "span": "Spans",
    "log": "Logs",
    "metric": "Metrics",
    "session": "Sessions",
    "check_in": "Check-ins",
    "attachment": "Attachments",
    "report": "Client reports",
    "other": "Other",
}
"""The kinds of entries and what a page calls them."""

PLAIN = "plain"
"""What the name of a sender begins with that sends the same traffic by the SDK alone."""

_KIND_OF: Mapping[str, str] = {
    "event": "error",
    "transaction": "transaction",
    "span": "span",
    "log": "log",
    "trace_metric": "metric",
    "statsd": "metric",
    "session": "session",
    "sessions": "session",
    "check_in": "check_in",
    "attachment": "attachment",
    "client_report": "report",
}
_BATCHES = frozenset({"span", "log", "trace_metric"})
_FILTERED = b"[Filtered]"
_MOST_RULES = 10_000  # remarks of one payload that are counted


@dataclass(slots=True, kw_only=True)
class Entry:
    """One line of the list."""

    kind: str
    type: str
    position: int = -1
    """Which of its batch; -1 where the item is no batch."""
    title: str = ""
    route: str = ""
    user: str = ""
    release: str = ""
    environment: str = ""
    level: str = ""
    trace: str = ""
    span: str = ""
    parent: str = ""
    event_id: str = ""
    started: float | None = None
    duration: float | None = None
    rate: float = 1.0
    late: bool = False
    redacted: int = 0
    rules: Counter[str] = field(default_factory=Counter)


def is_plain(sender: str) -> bool:
    """Whether a sender is one to compare with."""
    return sender == PLAIN or sender.startswith(f"{PLAIN}/")


def entries_of(envelope: Envelope, item: Item) -> list[Entry]:
    """The entries of one item; one that can't be read is an entry without a title."""
    try:
        return _entries_of(envelope, item)
    except Exception:  # what a stranger wrote must be listed, whatever it is
        return [Entry(kind="other", type=item.kind[:SHORT], title="(can't be read)")]


def _entries_of(envelope: Envelope, item: Item) -> list[Entry]:
    kind = _KIND_OF.get(item.kind, "other")
    entry = Entry(kind=kind, type=item.kind[:SHORT])
    if kind == "attachment":
        entry.title = text(item.headers.get("filename")) or "(no name)"
        entry.event_id = text(envelope.headers.get("event_id"), SHORT)
        return [entry]
    try:
        payload = _read(item.payload)
    except (ValueError, RecursionError):
        entry.title = text(item.payload[:LONG].decode("utf-8", "replace"))
        return [entry]
    if not isinstance(payload, dict):
        entry.title = text(payload)
        return [entry]
    batch = payload.get("items")
    if item.kind in _BATCHES and isinstance(batch, list):
        found = [_of_batch(kind, item.kind, number, one) for number, one in enumerate(batch)]
        hidden = item.payload.count(_FILTERED)
        if hidden and found:
            found[0].rules[UNTOLD] = hidden
        return found
    _READERS.get(kind, _other)(entry, payload, envelope)
    _common(entry, payload, envelope)
    entry.rules.update(rules_of(payload.get("_meta")))
    if not entry.rules and (hidden := item.payload.count(_FILTERED)):
        entry.rules[UNTOLD] = hidden
    entry.redacted = sum(entry.rules.values())
    return [entry]


def _read(payload: bytes) -> Any:
    """A payload as JSON.

    What orjson refuses (a number that is none, half a character) may still be read.
    """
    if _orjson is not None:
        try:
            return _orjson.loads(payload)
        except ValueError:
            pass
    return json.loads(payload)


def rules_of(meta: Any) -> Iterator[str]:
    """The rules of all remarks in a `_meta` tree.

    The key "" holds what concerns the value itself.
    """
    left, waiting = _MOST_RULES, [meta]
    while waiting and left:
        tree = waiting.pop()
        if not isinstance(tree, dict):
            continue
        for key, inner in tree.items():
            if key != "":
                waiting.append(inner)
                continue
            remarks = dict_of(inner).get("rem")
            for remark in list_of(remarks):
                if isinstance(remark, list) and remark and left:
                    left -= 1
                    yield text(remark[0], 60)


# -- by kind ---------------------------------------------------------------------------------------


def _error(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    exceptions = of(payload, "exception", "values") or payload.get("exception")
    last = exceptions
    if isinstance(exceptions, list) and exceptions:
        last = exceptions[-1]
    if isinstance(last, dict):
        entry.title = f"{text(last.get('type'), 100) or 'Error'}: {text(last.get('value'))}"
    else:
        message = of(payload, "logentry", "formatted") or of(payload, "logentry", "message")
        entry.title = text(message or payload.get("message") or "(no message)")
    entry.level = text(payload.get("level"), 20) or "error"


def _transaction(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    entry.title = text(payload.get("transaction")) or "(unnamed)"
    entry.started = moment(payload.get("start_timestamp"))
    ended = moment(payload.get("timestamp"))
    if entry.started is not None and ended is not None:
        entry.duration = max(0.0, ended - entry.started)
    entry.level = text(of(payload, "contexts", "trace", "status"), 40)
    data = dict_of(of(payload, "contexts", "trace", "data"))
    rate = data.get("sentry.client_sample_rate", data.get("client_sample_rate"))
    if rate is None:
        rate = payload.get("client_sample_rate", of(envelope.headers, "trace", "sample_rate"))
    entry.rate = rate_of(rate)
    entry.late = "asgi_sentry.kept" in data


def _session(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    attrs = dict_of(payload.get("attrs"))
    entry.release = text(attrs.get("release"), SHORT)
    entry.environment = text(attrs.get("environment"), SHORT)
    aggregates = payload.get("aggregates")
    if isinstance(aggregates, list):
        counted: Counter[str] = Counter()
        for one in aggregates[:1000]:
            if isinstance(one, dict):
                for name in ("exited", "errored", "crashed", "abnormal"):
                    if number := number_of(one.get(name)):
                        counted[name] += int(number)
        entry.title = ", ".join(f"{number} {name}" for name, number in counted.items())
    else:
        entry.title = text(payload.get("status"), SHORT)
        entry.user = text(payload.get("did"), SHORT)


def _check_in(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    entry.title = text(payload.get("monitor_slug")) or "(no monitor)"
    entry.level = text(payload.get("status"), 20)
    entry.duration = number_of(payload.get("duration"))


def _report(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    entry.title = ", ".join(
        f"{number} {category} ({reason})" for reason, category, number in lost_of(payload)
    )[:LONG]


def lost_of(payload: Any) -> list[tuple[str, str, int]]:
    """Reason, category and quantity of what a client report says was not sent."""
    lost = dict_of(payload).get("discarded_events")
    found = []
    for one in list_of(lost)[:1000]:
        number = None
        if isinstance(one, dict):
            number = number_of(one.get("quantity"))
        if number is not None:
            found.append((text(one.get("reason"), 60), text(one.get("category"), 60), int(number)))
    return found


def _metric(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    entry.title = text(payload.get("name")) or "(unnamed)"


def _span(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    made = _of_batch("span", entry.type, -1, payload)
    entry.kind, entry.title, entry.duration = made.kind, made.title, made.duration
    entry.started, entry.span, entry.parent = made.started, made.span, made.parent
    entry.trace = made.trace


def _other(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    for name in ("message", "name", "transaction", "profile_id", "replay_id", "status"):
        if isinstance(payload.get(name), str):
            entry.title = text(payload[name])
            return


_READERS = {
    "error": _error,
    "transaction": _transaction,
    "session": _session,
    "check_in": _check_in,
    "report": _report,
    "metric": _metric,
    "span": _span,
}


def _common(entry: Entry, payload: dict[str, Any], envelope: Envelope) -> None:
    """What most kinds have in the same place."""
    event_id = payload.get("event_id") or envelope.headers.get("event_id")
    entry.event_id = text(event_id, SHORT)
    entry.release = entry.release or text(payload.get("release"), SHORT)
    entry.environment = entry.environment or text(payload.get("environment"), SHORT)
    entry.user = entry.user or user_of(payload.get("user"))
    trace = dict_of(of(payload, "contexts", "trace"))
    known = entry.trace or trace.get("trace_id") or of(envelope.headers, "trace", "trace_id")
    entry.trace = text(known, 40)
    entry.span = entry.span or text(trace.get("span_id"), 40)
    entry.parent = entry.parent or text(trace.get("parent_span_id"), 40)
    if entry.kind in {"error", "transaction"}:
        route = text(payload.get("transaction"), LONG)
        entry.route = route or path_of(of(payload, "request", "url"))
    if entry.started is None:
        entry.started = moment(payload.get("timestamp") or payload.get("started"))


def _of_batch(kind: str, type_: str, number: int, one: Any) -> Entry:
    """An entry of a batch of logs, metrics or streamed spans."""
    entry = Entry(kind=kind, type=type_[:SHORT], position=number)
    if not isinstance(one, dict):
        return entry
    attributes = attributes_of(one)
    title = one.get("name") or one.get("description")
    if kind == "log":
        title = one.get("body")
    entry.title = text(title) or "(unnamed)"
    entry.trace = text(one.get("trace_id"), 40)
    entry.span = text(one.get("span_id"), 40)
    entry.parent = text(one.get("parent_span_id"), 40)
    entry.release = text(attributes.get("sentry.release"), SHORT)
    entry.environment = text(attributes.get("sentry.environment"), SHORT)
    entry.user = user_of({name[5:]: attributes[name] for name in attributes if name[:5] == "user."})
    entry.level = text(one.get("level") or one.get("status"), 20)
    entry.started = moment(one.get("start_timestamp") or one.get("timestamp"))
    ended = moment(one.get("end_timestamp"))
    if entry.started is not None and ended is not None:
        entry.duration = max(0.0, ended - entry.started)
    segment = attributes.get("sentry.segment.name") or attributes.get("sentry.transaction")
    entry.route = text(segment, LONG)
    if kind == "span" and one.get("is_segment"):
        entry.kind = "transaction"
        entry.route = entry.title
        entry.rate = rate_of(attributes.get("sentry.client_sample_rate"))
        entry.late = "asgi_sentry.kept" in attributes
    elif kind == "metric":
        value = number_of(one.get("value"))
        if value is not None:
            unit = text(one.get("unit"), 20)
            entry.title = f"{entry.title} = {value:g} {unit}".rstrip()[:LONG]
        entry.level = text(one.get("type"), 20)
    return entry


# -- reading a stranger's JSON ---------------------------------------------------------------------
