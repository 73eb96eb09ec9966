"""The list of entries and its filters.

A page is never slow: where no index answers, entries are looked through from the newest on for as
long as a page may take, and the page says how far it came and links to the rest.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from asgi_sentry.tools.sink.entries import KINDS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from asgi_sentry.tools.sink.store import Store

PAGE = 50
_PATIENCE = 0.1  # seconds of looking
_FIRST_CHUNK, _LARGEST_CHUNK = 512, 65_536
_LONGEST = 200

_COLUMNS = (
    "e.id, e.kind, e.type, e.title, e.route, e.user, e.release, e.environment, e.level, e.trace,"
    " e.sender, e.arrived, e.duration, e.redacted, e.bytes, e.payload, e.position"
)


class Filters(NamedTuple):
    """What is looked for; an empty text is anything."""

    kind: str = ""
    route: str = ""
    user: str = ""
    release: str = ""
    sender: str = ""
    text: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Filters:
        """From a query; what makes no sense is left out."""
        kind = asked.get("kind", "")
        given = {
            name: asked.get(name, "").strip()[:_LONGEST]
            for name in ("route", "user", "release", "sender")
        }
        return cls(
            kind=kind if kind in KINDS else "", text=asked.get("q", "").strip()[:_LONGEST], **given
        )

    def query(self, **changed: Any) -> str:
        """As a query, with something changed."""
        fields = {**self._asdict(), **changed}
        fields["q"] = fields.pop("text")
        return urlencode({name: value for name, value in fields.items() if value not in {"", None}})

    @property
    def any(self) -> bool:
        """Whether anything beside the kind is asked for."""
        return any(self[1:])


class Found(NamedTuple):
    """A page of entries, the newest first."""

    entries: list[sqlite3.Row]
    older: int | None
    """The id before which the next page begins, None if there is none."""
    searched_all: bool


def find(
    store: Store, filters: Filters, *, before: int | None = None, patience: float = _PATIENCE
) -> Found:
    """The newest entries that the filters let through."""
    wheres, values = _conditions(filters)
    top = store.ask("SELECT coalesce(max(id), 0), coalesce(min(id), 0) FROM entries")[0]
    high = top[0] if before is None else min(before - 1, top[0])
    lowest = top[1]
    found: list[sqlite3.Row] = []
    chunk, deadline = _FIRST_CHUNK, time.monotonic() + patience
    if not wheres or (filters.kind and not filters.any):  # the index has them in order
        chunk = high + 1
    join = ""
    if filters.text:
        join = "JOIN payloads p ON p.id = e.payload"
    while high >= lowest and high > 0:
        low = max(lowest, high - chunk + 1)
        wanted = PAGE + 1 - len(found)
        started = time.monotonic()
        question = (
            # Of constants.
            f"SELECT {_COLUMNS} FROM entries e {join} WHERE e.id BETWEEN ? AND ?"  # noqa: S608
            f"{''.join(f' AND {where}' for where in wheres)} ORDER BY e.id DESC LIMIT ?"
        )
        found += store.ask(question, low, high, *values, wanted)
        if len(found) > PAGE:
            return Found(found[:PAGE], found[PAGE - 1]["id"], searched_all=True)
        high = low - 1
        now = time.monotonic()
        if now > deadline and high >= lowest:
            return Found(found, high + 1, searched_all=False)
        took = now - started
        if took < patience / 8:
            chunk = min(chunk * 4, _LARGEST_CHUNK)
        elif took > patience / 3:
            chunk = max(chunk // 4, 16)
    return Found(found, None, searched_all=True)


def _conditions(filters: Filters) -> tuple[list[str], list[Any]]:
    wheres, values = [], []
    for column in ("kind", "route", "release", "sender", "user"):
        wanted = getattr(filters, column)
        if not wanted:
            continue
        if column in {"kind", "sender", "release"}:
            wheres.append(f"e.{column} = ?")
            values.append(wanted)
        else:
            wheres.append(f"e.{column} LIKE ? ESCAPE '\\'")
            values.append(_like(wanted))
    if filters.text:
        shapes = {filters.text, json.dumps(filters.text)[1:-1]}  # as it is, and as JSON writes it
        either = ["e.title LIKE ? ESCAPE '\\'"] + ["p.body LIKE ? ESCAPE '\\'"] * len(shapes)
        wheres.append(f"({' OR '.join(either)})")
        values += [_like(filters.text), *(_like(shape) for shape in sorted(shapes))]
    return wheres, values


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"


def names(store: Store, *whats: str, most: int = 300) -> list[str]:
    """The names that were counted under any of these, for a form's suggestions."""
    places = ", ".join("?" * len(whats))
    question = (
        f"SELECT DISTINCT name FROM totals WHERE what IN ({places})"  # noqa: S608
        " AND name <> '' ORDER BY name LIMIT ?"
    )
    return [row[0] for row in store.ask(question, *whats, most)]
