"""The tables of the store, and what is written into them of one item."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from asgi_sentry.tools.sink.entries import Entry, lost_of
from asgi_sentry.tools.sink.outages import CATEGORIES

if TYPE_CHECKING:
    from collections import defaultdict
    from collections.abc import Sequence
    from pathlib import Path


TICK = 10
"""Seconds that a bar of the finest chart stands for."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS envelopes (
    id INTEGER PRIMARY KEY, arrived REAL NOT NULL, sender TEXT NOT NULL, project TEXT NOT NULL,
    headers TEXT NOT NULL, bytes INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS payloads (
    id INTEGER PRIMARY KEY, envelope INTEGER NOT NULL, type TEXT NOT NULL, headers TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS payloads_by_envelope ON payloads (envelope);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, envelope INTEGER NOT NULL, payload INTEGER NOT NULL,
    position INTEGER NOT NULL, arrived REAL NOT NULL, sender TEXT NOT NULL, kind TEXT NOT NULL,
    type TEXT NOT NULL, title TEXT NOT NULL, route TEXT NOT NULL, user TEXT NOT NULL,
    release TEXT NOT NULL, environment TEXT NOT NULL, level TEXT NOT NULL, trace TEXT NOT NULL,
    span TEXT NOT NULL, parent TEXT NOT NULL, event_id TEXT NOT NULL, started REAL, duration REAL,
    redacted INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_kind ON entries (kind, id);
CREATE INDEX IF NOT EXISTS entries_by_trace ON entries (trace) WHERE trace <> '';
CREATE INDEX IF NOT EXISTS entries_by_event ON entries (event_id) WHERE event_id <> '';
CREATE INDEX IF NOT EXISTS entries_by_envelope ON entries (envelope);
CREATE TABLE IF NOT EXISTS totals (
    sender TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, n REAL NOT NULL,
    PRIMARY KEY (sender, what, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ticks (
    tick INTEGER NOT NULL, sender TEXT NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (tick, sender, kind)
) WITHOUT ROWID;
"""
_ENTRY_COLUMNS = (
    "id, envelope, payload, position, arrived, sender, kind, type, title, route, user, release,"
    " environment, level, trace, span, parent, event_id, started, duration, redacted, bytes"
)
INSERT_ENTRY = (
    f"INSERT INTO entries ({_ENTRY_COLUMNS})"  # noqa: S608  # a constant of this module
    f" VALUES ({', '.join('?' * (_ENTRY_COLUMNS.count(',') + 1))})"
)


def open_database(path: str | Path | None) -> sqlite3.Connection:
    """The database with its tables, in a file or in memory."""
    database = sqlite3.connect(
        ":memory:" if path is None else path, check_same_thread=False, timeout=10
    )
    database.row_factory = sqlite3.Row
    # Payloads are some kilobytes: of pages of 4 KB, which hold one of them, half would be empty.
    database.execute("PRAGMA page_size = 16384")
    if path is not None:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA trusted_schema = OFF")
    database.executescript(_SCHEMA)
    return database


def row_of(
    entry: Entry, id_: int, envelope: int, payload: int, arrived: float, sender: str, size: int
) -> tuple[Any, ...]:
    """What is written of one entry, in the order of `INSERT_ENTRY`."""
    e = entry
    return (
        id_, envelope, payload, e.position, arrived, sender, e.kind, e.type, e.title, e.route,
        e.user, e.release, e.environment, e.level, e.trace, e.span, e.parent, e.event_id, e.started,
        e.duration, e.redacted, size,
    )  # fmt: skip


def tally(
    totals: defaultdict[tuple[str, str, str], float],
    sender: str,
    kind: str,
    payload: bytes,
    found: Sequence[Entry],
) -> None:
    """What an item adds to the counts."""
    category = CATEGORIES.get(kind, kind[:40])
    totals[sender, "quota", category] += max(1, len(found))
    totals[sender, "bytes", category] += len(payload)
    for entry in found:
        totals[sender, "kind", entry.kind] += 1
        for rule, n in entry.rules.items():
            totals[sender, "rule", rule] += n
        if entry.release:
            totals[sender, "release", entry.release] += 1
        if entry.kind == "transaction":
            totals[sender, "route:kept", entry.route] += 1
            totals[sender, "route:estimated", entry.route] += 1 / entry.rate
            if entry.late:
                totals[sender, "route:late", entry.route] += 1
            if kind == "transaction":
                totals[sender, "quota", "span"] += 1
        elif entry.kind == "error":
            totals[sender, "route:errors", entry.route] += 1
        elif entry.kind == "report":
            for reason, lost, n in lost_of(_parsed(payload)):
                totals[sender, "lost", f"{lost}: {reason}"] += n


def _parsed(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def as_json(value: Any) -> str:
    """A value as JSON."""
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        return "{}"


def body_of(payload: bytes) -> str | bytes:
    """As text where it is one, for then it can be searched."""
    try:
        shown = payload.decode()
    except UnicodeDecodeError:
        return payload
    if "\0" in shown:
        return payload
    return shown
