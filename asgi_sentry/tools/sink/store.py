"""What the sink keeps: SQLite, in a file or in memory, bounded, the oldest out first.

One thread writes, in batches; a page reads what the last batch left. Whoever reads may wait for the
batch under way (`settle`). The database holds one connection, whose lock readers and the writer
share: a page's questions take milliseconds, and a batch some tens of them.

What is counted (`totals`, `ticks`) is kept when the envelopes themselves have gone, and is bounded
by itself: so many routes, so many ticks.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asgi_sentry.tools.sink.entries import entries_of
from asgi_sentry.tools.sink.foreign import text
from asgi_sentry.tools.sink.rows import (
    INSERT_ENTRY,
    TICK,
    as_json,
    body_of,
    open_database,
    row_of,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from asgi_sentry.tools.sink.protocol import Received


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
            self._database = open_database(path)
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
                kind, headers = text(item.kind, 120), as_json(item.headers)
                payloads.append(
                    (self._last_payload, first_id, kind, headers, body_of(item.payload))
                )
                for entry in found:
                    self._last_entry += 1
                    entries.append(
                        row_of(
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
                tally(totals, sender, kind, item.payload, found)
            size += cost
            headers = as_json(received.envelope.headers)
            envelopes.append((first_id, arrived, sender, received.project, headers, cost))
            totals[sender, "seen", "envelopes"] += 1
            totals[sender, "seen", "bytes"] += len(received.raw)
        with self._lock, self._database:
            run = self._database.executemany
            run("INSERT INTO envelopes VALUES (?, ?, ?, ?, ?, ?)", envelopes)
            run("INSERT INTO payloads VALUES (?, ?, ?, ?, ?)", payloads)
            run(INSERT_ENTRY, entries)
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
