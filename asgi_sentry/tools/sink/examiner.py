"""Looks at what was received for what should have been redacted, and for what need not have been.

It works beside the server, in pauses: shapes repeat, so of each kind and route only the first items
are looked at, and what is found is counted by its place.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.suspects import false_alarm, find_suspects
from asgi_sentry.tools.sink.entries import is_plain
from asgi_sentry.tools.sink.redactions import marks_of, untold_marks, written

if TYPE_CHECKING:
    import sqlite3

    from asgi_sentry.tools.sink.store import Store

OF_EACH = 40
"""Items of one kind, sender and route that are looked at."""

_AT_ONCE = 20
_MOST_GROUPS = 1_000
_MOST_SHAPES = 10_000
_LARGEST = 2 * 1024 * 1024  # bytes of a payload that is looked at
_PAUSE = 0.2


@dataclass(slots=True)
class Group:
    """The same finding in several items."""

    place: str
    preview: str
    reason: str
    suggestion: str
    entry: int
    """The newest item that has it."""
    count: int = 0


class Examiner:
    """What was found so far; `look` goes on with what is new, and `start` does so in a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._suspects: dict[tuple[str, str], Group] = {}
        self._alarms: dict[tuple[str, str], Group] = {}
        self._shapes: Counter[tuple[str, str, str]] = Counter()
        self._through = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.examined: int = 0

    @property
    def suspects(self) -> list[Group]:
        """What was not redacted and looks as if it should be, the most frequent first."""
        with self._lock:
            return sorted(self._suspects.values(), key=lambda group: (-group.count, group.place))

    @property
    def alarms(self) -> list[Group]:
        """What was redacted, by rule and place, the most frequent first."""
        with self._lock:
            return sorted(self._alarms.values(), key=lambda group: (-group.count, group.place))

    @property
    def waiting(self) -> int:
        """How many entries are still to be looked at."""
        last: int = self._store.ask("SELECT coalesce(max(id), 0) FROM entries")[0][0]
        return max(0, last - self._through)

    def look(self, most: int = _AT_ONCE) -> bool:
        """Look at some more; False if there was nothing new."""
        rows = self._store.ask(
            "SELECT e.id, e.kind, e.type, e.sender, e.route, e.position, e.bytes, e.payload"
            " FROM entries e WHERE e.id > ? ORDER BY e.id LIMIT ?",
            self._through,
            most * 20,
        )
        if not rows:
            return False
        looked = 0
        for row in rows:
            if looked >= most:
                break
            self._through = row["id"]
            shape = (row["kind"], row["sender"], row["route"])
            known = self._shapes[shape]
            if known >= OF_EACH or row["bytes"] > _LARGEST or row["position"] > 0:
                continue
            if known or len(self._shapes) < _MOST_SHAPES:
                self._shapes[shape] += 1
            looked += 1
            self._examine(row)
        self._store.version += 1
        return True

    def start(self) -> None:
        """Look in a thread, in pauses."""
        self._thread = threading.Thread(target=self._run, name="asgi-sentry-examiner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE):
            if not self._store.behind:
                self.look()

    def _examine(self, row: sqlite3.Row) -> None:
        found = self._store.ask("SELECT body FROM payloads WHERE id = ?", row["payload"])
        try:
            payload: Any = json.loads(found[0]["body"])
        except (ValueError, RecursionError, LookupError, UnicodeDecodeError):
            return
        self.examined += 1
        if row["kind"] == "report" or not isinstance(payload, dict):
            return
        meta = payload.get("_meta")
        suspects = [] if is_plain(row["sender"]) else find_suspects(payload)
        marks = marks_of(meta)
        if not marks:
            marks = untold_marks(payload)
        with self._lock:
            for suspect in suspects:
                place, line = written(_general(suspect.path)), _configured(suspect.suggestion)
                self._add(
                    self._suspects,
                    (place, line),
                    Group(place, suspect.preview, suspect.reason, line, row["id"]),
                )
            for mark in marks:
                alarm = false_alarm(payload, mark.path, mark.rule)
                if not alarm.suggestion:
                    continue
                place, line = written(_general(mark.path)), _configured(alarm.suggestion)
                self._add(
                    self._alarms,
                    (mark.rule, line),
                    Group(place, "", mark.rule, line, row["id"]),
                )

    @staticmethod
    def _add(groups: dict[Any, Group], key: Any, group: Group) -> None:
        known = groups.get(key)
        if known is None:
            if len(groups) >= _MOST_GROUPS:
                return
            groups[key] = known = group
        known.count += 1
        known.entry = group.entry


def _configured(suggestion: str) -> str:
    """A suggestion as it is handed over."""
    return f"asgi_sentry.init(event_scrubber={suggestion})"


def _general(path: tuple[Any, ...]) -> tuple[str, ...]:
    """A path in which any element of a list is alike."""
    return tuple("*" if isinstance(step, int) else str(step) for step in path)
