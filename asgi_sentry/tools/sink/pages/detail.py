"""One entry in full: its parts in the order in which people read them, each redaction marked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry.tools.sink.entries import lost_of
from asgi_sentry.tools.sink.foreign import (
    attributes_of,
    dict_of,
    list_of,
    moment,
    number_of,
    of,
    text,
)
from asgi_sentry.tools.sink.pages.shown import MOST_NODES, Node, Reader
from asgi_sentry.tools.sink.pages.waterfall import Waterfall, of_transaction
from asgi_sentry.tools.sink.redactions import Mark, marks_of

if TYPE_CHECKING:
    import sqlite3

    from asgi_sentry.tools.sink.store import Store

_MOST_FRAMES = 120  # of one exception
_MOST_SHOWN_BYTES = 20_000  # of an attachment
_ELSEWHERE = frozenset(
    {"exception", "breadcrumbs", "request", "user", "tags", "contexts", "extra", "spans", "_meta",
     "modules", "sdk", "event_id", "type", "transaction", "logentry",
     "message", "threads", "items", "attributes", "body"}
)  # fmt: skip


class Line(NamedTuple):
    """A line of source."""

    number: int | None
    node: Node
    here: bool


@dataclass(slots=True)
class Frame:
    """One frame of a traceback."""

    place: str
    function: str
    own: bool
    lines: list[Line]
    variables: Node | None


@dataclass(slots=True)
class Raised:
    """One exception of a chain."""

    type: str
    value: Node
    module: str
    mechanism: str
    frames: list[Frame]
    left_out: int = 0


class Crumb(NamedTuple):
    """One breadcrumb."""

    when: float | None
    category: str
    level: str
    message: Node
    data: Node | None


class Section(NamedTuple):
    """A named part that is shown as a table of keys and values."""

    name: str
    node: Node


@dataclass(slots=True)
class Detail:
    """Everything about one entry."""

    entry: sqlite3.Row
    raised: list[Raised] = field(default_factory=list)
    message: Node | None = None
    crumbs: list[Crumb] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    waterfall: Waterfall | None = None
    marks: list[Mark] = field(default_factory=list)
    attachment: str | None = None
    lost: list[tuple[str, str, int]] = field(default_factory=list)
    envelope: dict[str, Any] = field(default_factory=dict)
    beside: list[sqlite3.Row] = field(default_factory=list)
    """Other entries of the same envelope, event or trace."""


def entry_of(store: Store, number: int) -> tuple[sqlite3.Row, Any, bytes] | None:
    """An entry, its payload read as JSON (None where it is none) and as it came."""
    rows = store.ask(
        "SELECT e.*, p.body, p.headers AS item_headers, p.type AS item_type FROM entries e"
        " JOIN payloads p ON p.id = e.payload WHERE e.id = ?",
        number,
    )
    if not rows:
        return None
    body = rows[0]["body"]
    raw = body.encode() if isinstance(body, str) else bytes(body)
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        payload = None
    position = rows[0]["position"]
    if position >= 0:
        batch = of(payload, "items")
        payload = None
        if isinstance(batch, list) and position < len(batch):
            payload = batch[position]
    return rows[0], payload, raw


def detail(store: Store, number: int) -> Detail | None:
    """Everything about one entry, None if there is none."""
    found = entry_of(store, number)
    if found is None:
        return None
    entry, payload, raw = found
    made = Detail(entry)
    envelope = store.ask("SELECT * FROM envelopes WHERE id = ?", entry["envelope"])
    if envelope:
        headers = json.loads(envelope[0]["headers"])
        made.envelope = {"project": envelope[0]["project"], "headers": headers}
    made.beside = _beside(store, entry)
    if entry["kind"] == "attachment" or not isinstance(payload, dict):
        shown = raw[:_MOST_SHOWN_BYTES]
        made.attachment = None if b"\0" in shown else shown.decode("utf-8", "replace")
        headers = Reader().read(_loaded(entry["item_headers"]))
        made.sections.append(Section("Item", headers))
        return made
    reader = Reader(payload.get("_meta"), MOST_NODES)
    if entry["kind"] == "report":
        made.lost = lost_of(payload)
    made.raised = _raised(payload, reader)
    made.message = _message(payload, reader)
    _sections(made, payload, reader)
    if entry["kind"] == "transaction" and isinstance(payload.get("spans"), list):
        made.waterfall = of_transaction(payload)
    made.crumbs = _crumbs(payload, reader)
    told = marks_of(payload.get("_meta"))
    made.marks = told + [mark for mark in reader.marks if not mark.told]
    return made


def _loaded(written: str) -> Any:
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return {}


def _beside(store: Store, entry: sqlite3.Row) -> list[sqlite3.Row]:
    columns = "SELECT id, kind, title, arrived, duration, redacted, sender FROM entries"
    found = store.ask(
        f"{columns} WHERE envelope = ? AND id <> ? LIMIT 20",  # constants
        entry["envelope"],
        entry["id"],
    )
    if entry["trace"]:
        seen = {row["id"] for row in found}
        more = store.ask(
            f"{columns} WHERE trace = ? AND trace <> '' AND id <> ? ORDER BY id LIMIT 20",
            entry["trace"],
            entry["id"],
        )
        found += [row for row in more if row["id"] not in seen]
    return found[:20]


# -- errors ----------------------------------------------------------------------------------------


def _raised(payload: dict[str, Any], reader: Reader) -> list[Raised]:
    """The chain, the exception that was caught last first, as Sentry shows it."""
    values, steps = _listed(payload, "exception")
    made = []
    for number, one in enumerate(values):
        if not isinstance(one, dict):
            continue
        frames = list_of(of(one, "stacktrace", "frames"))
        path = (*steps, number)
        kind = of(one, "mechanism", "type")
        handled = of(one, "mechanism", "handled")
        mechanism = text(kind, 60)
        if isinstance(handled, bool):
            mechanism += ", handled" if handled else ", not handled"
        raised = Raised(
            type=text(one.get("type"), 200) or "Error",
            value=reader.read(one.get("value"), *path, "value"),
            module=text(one.get("module"), 200),
            mechanism=mechanism.removeprefix(", "),
            frames=[],
            left_out=max(0, len(frames) - _MOST_FRAMES),
        )
        ordered = list(enumerate(frames))[-_MOST_FRAMES:]
        for place, frame in reversed(ordered):
            if isinstance(frame, dict):
                where = (*path, "stacktrace", "frames", place)
                raised.frames.append(_frame(frame, reader, where))
        made.append(raised)
    return made[::-1]


def _listed(payload: dict[str, Any], name: str) -> tuple[list[Any], tuple[str | int, ...]]:
    """The list under a name, which may stand under `values` there, and the steps to it."""
    values = of(payload, name, "values")
    if isinstance(values, list):
        return values, (name, "values")
    return list_of(payload.get(name)), (name,)


def _frame(frame: dict[str, Any], reader: Reader, path: tuple[str | int, ...]) -> Frame:
    number = frame.get("lineno")
    if not isinstance(number, int) or isinstance(number, bool):
        number = None
    file = text(frame.get("filename") or frame.get("module") or frame.get("abs_path"), 200)
    lines: list[Line] = []
    context = frame.get("context_line")
    if context is not None:
        before, after = frame.get("pre_context"), frame.get("post_context")
        before = list_of(before)
        above = before[-8:]
        below = list_of(after)[:8]
        first = None
        if number is not None:
            first = number - len(above)
        names: list[tuple[str | int, ...]] = [
            ("pre_context", n) for n in range(len(before) - len(above), len(before))
        ]
        names = [*names, ("context_line",), *(("post_context", n) for n in range(len(below)))]
        for step, (line, name) in enumerate(zip([*above, context, *below], names, strict=True)):
            shown = line[:400] if isinstance(line, str) else text(line)
            at = None
            if first is not None:
                at = first + step
            lines.append(Line(at, reader.read(shown, *path, *name), step == len(above)))
    variables = frame.get("vars")
    return Frame(
        place=f"{file}:{number}" if number is not None else file,
        function=text(frame.get("function"), 200) or "(unknown)",
        own=frame.get("in_app") is True,
        lines=lines,
        variables=reader.read(variables, *path, "vars") if isinstance(variables, dict) else None,
    )


def _message(payload: dict[str, Any], reader: Reader) -> Node | None:
    for path in (("logentry", "formatted"), ("logentry", "message"), ("message",), ("body",)):
        value = of(payload, *path)
        if isinstance(value, str):
            return reader.read(value, *path)
    return None


def _crumbs(payload: dict[str, Any], reader: Reader) -> list[Crumb]:
    values, steps = _listed(payload, "breadcrumbs")
    made = []
    for number, one in enumerate(values):
        if not isinstance(one, dict):
            continue
        data = one.get("data")
        crumb = Crumb(
            when=moment(one.get("timestamp")),
            category=text(one.get("category") or one.get("type"), 80),
            level=text(one.get("level"), 20),
            message=reader.read(one.get("message") or "", *steps, number, "message"),
            data=reader.read(data, *steps, number, "data") if data else None,
        )
        made.append(crumb)
    return made[-200:]


# -- the rest --------------------------------------------------------------------------------------


def _sections(made: Detail, payload: dict[str, Any], reader: Reader) -> None:
    def add(name: str, *path: str) -> None:
        value: Any = payload
        for step in path:
            value = dict_of(value).get(step)
        if value not in (None, {}, [], ""):
            made.sections.append(Section(name, reader.read(value, *path)))

    add("Request", "request")
    add("User", "user")
    if isinstance(payload.get("attributes"), dict):
        attributes = attributes_of(payload)
        made.sections.append(Section("Attributes", reader.read(attributes, "attributes")))
    add("Tags", "tags")
    add("Contexts", "contexts")
    add("Extra", "extra")
    add("Threads", "threads")
    rest = {name: value for name, value in payload.items() if name not in _ELSEWHERE}
    if rest:
        node = Reader(payload.get("_meta"), 500).read(rest)
        made.sections.append(Section("Everything else", node))
    add("SDK", "sdk")
    add("Modules", "modules")


def title_of(entry: sqlite3.Row) -> str:
    """What a page about an entry is called."""
    return text(entry["title"], 120) or text(entry["type"], 60)


def quantity(value: Any) -> float:
    """A number of a stranger's, 0 if it is none."""
    return number_of(value) or 0.0
