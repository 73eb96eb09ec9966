"""What the sink keeps: SQLite, in a file or in memory, bounded, the oldest out first.

One thread writes, in batches; a page reads what the last batch left. Whoever reads may wait for the
batch under way (`settle`). The database holds one connection, whose lock readers and the writer
share: a page's questions take milliseconds, and a batch some tens of them.

What is counted (`totals`, `ticks`) is kept when the envelopes themselves have gone, and is bounded
by itself: so many routes, so many ticks.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asgi_sentry.tools.sink.entries import Entry, entries_of, lost_of, text
from asgi_sentry.tools.sink.outages import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from asgi_sentry.tools.sink.protocol import Received

TICK = 10
"""Seconds that a bar of the finest chart stands for."""

_TICKS_KEPT = 8_640  # a day of them
_BATCH = 1_000  # envelopes
_BATCH_BYTES = 16 * 1024 * 1024
_PATIENCE = 0.1  # seconds that the writer waits for a batch to fill
_QUEUE_BYTES = 24 * 1024 * 1024  # beyond them senders have to wait
_MOST_ROUTES = 2_000
_MOST_SENDERS = 50
_MOST_NAMES = 500  # of releases, rules, reasons
_OTHERS = "(others)"
_ROW_BYTES, _ENVELOPE_BYTES = 700, 700  # what an entry and an envelope cost beside the payload

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
_INSERT_ENTRY = (
    f"INSERT INTO entries ({_ENTRY_COLUMNS})"  # noqa: S608  # a constant of this module
    f" VALUES ({', '.join('?' * (_ENTRY_COLUMNS.count(',') + 1))})"
)


class StoreError(RuntimeError):
    """The file can't be used; the message says why."""


class Store:
    """Envelopes, the entries of their items, and counts.

    Args:
        path: of a file; None keeps everything in memory.
        max_envelopes: beyond it the oldest go.
        max_bytes: the same for the sum of their payloads and entries.

    Raises:
        StoreError: the file is no database, or can't be opened.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        max_envelopes: int = 100_000,
        max_bytes: int = 512 * 1024 * 1024,
    ) -> None:
        self._max_envelopes, self._max_bytes = max_envelopes, max_bytes
        try:
            self._database = _opened(path)
        except sqlite3.Error as error:
            raise StoreError(f"{path} can't be used: {error}") from None
        self._lock = threading.RLock()
        self._queue: deque[Received] = deque()
        self._queued = threading.Condition()
        self._queue_bytes = 0
        self._writing = False
        self._awaited = 0
        self._closed = False
        self.version: int = 0
        """Grows with each change of what a page shows."""
        row = self._database.execute(
            "SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(id), 0) FROM envelopes"
        ).fetchone()
        self._envelopes, self._bytes, self._last = row
        last = "SELECT coalesce(max(id), 0) FROM "
        self._last_payload = self._database.execute(last + "payloads").fetchone()[0]
        self._last_entry = self._database.execute(last + "entries").fetchone()[0]
        self._names: dict[str, set[str]] = {}
        for sender, what, name in self._database.execute("SELECT sender, what, name FROM totals"):
            self._names.setdefault(what, set()).add(name)
            self._names.setdefault("sender", set()).add(sender)
        self._writer = threading.Thread(target=self._write, name="asgi-sentry-sink", daemon=True)
        self._writer.start()

    # -- in ----------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether senders have to wait for the writer."""
        return self._queue_bytes > _QUEUE_BYTES

    @property
    def behind(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._queue) or self._writing

    def add(self, received: Received) -> None:
        """Keep an envelope; returns at once."""
        with self._queued:
            if self._closed:
                return
            self._queue.append(received)
            self._queue_bytes += len(received.raw)
            if len(self._queue) in {1, _BATCH}:
                self._queued.notify_all()

    def count(self, counted: Iterable[tuple[str, str, str, float]]) -> None:
        """Add to the totals: sender, what, name and how many."""
        with self._lock, self._database:
            self._count(counted)
        self.version += 1

    def settle(self, timeout: float = 5.0) -> bool:
        """Wait until everything that was added can be read."""
        with self._queued:
            self._awaited += 1
            self._queued.notify_all()
            try:
                return self._queued.wait_for(lambda: not self.behind, timeout)
            finally:
                self._awaited -= 1

    def clear(self) -> None:
        """Forget everything."""
        self.settle()
        with self._lock, self._database:
            for table in ("envelopes", "payloads", "entries", "totals", "ticks"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608  # names of ours
            self._envelopes = self._bytes = 0
            self._names.clear()
        self.version += 1

    def close(self) -> None:
        """Write what is queued, and close."""
        with self._queued:
            self._closed = True
            self._queued.notify_all()
        self._writer.join(10)
        with self._lock:
            self._database.close()

    def _write(self) -> None:
        while True:
            with self._queued:
                self._writing = False
                self._queued.notify_all()
                self._queued.wait_for(lambda: self._queue or self._closed)
                # A batch is worth waiting for: to take the interpreter from the loop for each
                # envelope alone costs more than to write it.
                self._queued.wait_for(self._hurried, _PATIENCE)
                if not self._queue:
                    return
                batch: list[Received] = []
                size = 0
                while self._queue and len(batch) < _BATCH and size < _BATCH_BYTES:
                    batch.append(self._queue.popleft())
                    size += len(batch[-1].raw)
                self._writing = True
            try:
                self._keep(batch)
            except sqlite3.Error as error:
                # Such as a full disk: said, counted, and the sink goes on.
                self.failed = f"{len(batch)} envelopes could not be kept: {error}"
            finally:
                with self._queued:
                    self._queue_bytes -= size
            self.version += 1

    def _hurried(self) -> bool:
        return self._closed or self._awaited > 0 or len(self._queue) >= _BATCH

    failed: str | None = None
    """Why the last batch that could not be written was lost, if any was."""

    def _keep(self, batch: Sequence[Received]) -> None:
        envelopes, payloads, entries = [], [], []
        totals: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        ticks: Counter[tuple[int, str, str]] = Counter()
        first_id, size = self._last, 0
        for received in batch:
            first_id += 1
            arrived = received.arrived
            sender, cost = self._sender(received.prefix), _ENVELOPE_BYTES
            for item in received.envelope.items:
                self._last_payload += 1
                found = entries_of(received.envelope, item)
                kind, headers = text(item.kind, 120), _json(item.headers)
                payloads.append((self._last_payload, first_id, kind, headers, _body(item.payload)))
                for entry in found:
                    self._last_entry += 1
                    entries.append(
                        _row(
                            entry,
                            self._last_entry,
                            first_id,
                            self._last_payload,
                            arrived,
                            sender,
                            len(item.payload),
                        )
                    )
                    ticks[int(arrived) // TICK, sender, entry.kind] += 1
                cost += len(item.payload) + _ROW_BYTES * len(found)
                _tally(totals, sender, kind, item.payload, found)
            size += cost
            headers = _json(received.envelope.headers)
            envelopes.append((first_id, arrived, sender, received.project, headers, cost))
            totals[sender, "seen", "envelopes"] += 1
            totals[sender, "seen", "bytes"] += len(received.raw)
        with self._lock, self._database:
            run = self._database.executemany
            run("INSERT INTO envelopes VALUES (?, ?, ?, ?, ?, ?)", envelopes)
            run("INSERT INTO payloads VALUES (?, ?, ?, ?, ?)", payloads)
            run(_INSERT_ENTRY, entries)
            self._count((*key, n) for key, n in totals.items())
            run(
                "INSERT INTO ticks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + "
                "excluded.n",
                [(*key, n) for key, n in ticks.items()],
            )
            self._last = first_id
            self._envelopes += len(batch)
            self._bytes += size
            self._evict(batch[-1].arrived)

    def _sender(self, prefix: str) -> str:
        """The sender that a prefix names.

        Anybody can make one up, so there are so many and no more.
        """
        sender = text(prefix.strip("/"), 60)
        known = self._names.setdefault("sender", set())
        if sender not in known:
            if len(known) >= _MOST_SENDERS:
                return _OTHERS
            known.add(sender)
        return sender

    def _count(self, counted: Iterable[tuple[str, str, str, float]]) -> None:
        rows = []
        for sender, what, name, n in counted:
            known = self._names.setdefault(what, set())
            shown = name
            if name not in known:
                if len(known) >= (_MOST_ROUTES if what.startswith("route:") else _MOST_NAMES):
                    shown = _OTHERS
                known.add(shown)
            rows.append((sender, what, shown, n))
        self._database.executemany(
            "INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            rows,
        )

    def _evict(self, now: float) -> None:
        oldest = int(now) // TICK - _TICKS_KEPT
        self._database.execute("DELETE FROM ticks WHERE tick < ?", (oldest,))
        if self._envelopes <= self._max_envelopes and self._bytes <= self._max_bytes:
            return
        gone, freed, last = 0, 0, 0
        for id_, cost in self._database.execute("SELECT id, bytes FROM envelopes ORDER BY id"):
            gone, freed, last = gone + 1, freed + cost, id_
            if (
                self._envelopes - gone <= self._max_envelopes
                and self._bytes - freed <= self._max_bytes
            ):
                break
        self._database.execute("DELETE FROM entries WHERE envelope <= ?", (last,))
        self._database.execute("DELETE FROM payloads WHERE envelope <= ?", (last,))
        self._database.execute("DELETE FROM envelopes WHERE id <= ?", (last,))
        self._envelopes -= gone
        self._bytes -= freed
        self._count([("", "seen", "evicted", gone)])

    # -- out ---------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database, for as long as questions are asked."""
        with self._lock:
            yield self._database

    def ask(self, question: str, *values: Any) -> list[sqlite3.Row]:
        """The rows that answer one question."""
        with self._lock:
            return self._database.execute(question, values).fetchall()

    @property
    def held(self) -> tuple[int, int]:
        """How many envelopes are kept, and their bytes."""
        return self._envelopes, self._bytes


def _opened(path: str | Path | None) -> sqlite3.Connection:
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


def _row(
    entry: Entry, id_: int, envelope: int, payload: int, arrived: float, sender: str, size: int
) -> tuple[Any, ...]:
    e = entry
    return (
        id_, envelope, payload, e.position, arrived, sender, e.kind, e.type, e.title, e.route,
        e.user, e.release, e.environment, e.level, e.trace, e.span, e.parent, e.event_id, e.started,
        e.duration, e.redacted, size,
    )  # fmt: skip


def _tally(
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


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        return "{}"


def _body(payload: bytes) -> str | bytes:
    """As text where it is one, for then it can be searched."""
    try:
        shown = payload.decode()
    except UnicodeDecodeError:
        return payload
    return payload if "\0" in shown else shown
