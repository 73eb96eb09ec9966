"""Spans in time: which called which, from when to when, as rows of a chart.

A trace may come from anybody: spans that call each other in a circle, thousands of them, times that
make no sense.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry.tools.sink.foreign import dict_of, list_of, moment, of, text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

MOST_ROWS = 300
_DEEPEST = 16


@dataclass(slots=True)
class Span:
    """A span as it was sent."""

    id: str
    parent: str
    op: str
    name: str
    started: float
    ended: float
    kind: str = "span"
    """`transaction`, `span` or `error`."""
    status: str = ""
    entry: int | None = None


class Bar(NamedTuple):
    """One row: a span, its depth, and its bar's ends, in thousandths of the whole."""

    span: Span
    depth: int
    x: float
    width: float
    seconds: float


@dataclass(slots=True)
class Waterfall:
    """Rows from top to bottom, and what they cover."""

    bars: list[Bar] = field(default_factory=list)
    seconds: float = 0.0
    left_out: int = 0


def of_transaction(payload: dict[str, Any], entry: int | None = None) -> Waterfall:
    """The spans of one transaction, itself first."""
    return arrange(spans_of(payload, entry))


def spans_of(payload: dict[str, Any], entry: int | None = None) -> list[Span]:
    """A transaction and the spans in it."""
    trace = dict_of(of(payload, "contexts", "trace"))
    root = _span({**trace, "description": payload.get("transaction")}, "transaction", entry)
    started, ended = moment(payload.get("start_timestamp")), moment(payload.get("timestamp"))
    if started is None or ended is None:
        return []
    root.started, root.ended = started, max(started, ended)
    made = [root]
    spans = payload.get("spans")
    for one in list_of(spans)[: MOST_ROWS * 4]:
        if isinstance(one, dict):
            span = _span(one, "span", entry)
            if span.started:
                made.append(span)
    return made


def of_entries(rows: Iterable[sqlite3.Row]) -> list[Span]:
    """Streamed spans, and errors as moments, from their entries."""
    made = []
    for row in rows:
        if row["started"] is None or row["kind"] not in {"span", "transaction", "error"}:
            continue
        own, parent, op = row["span"], row["parent"], ""
        if row["kind"] == "error":  # it has no span of its own, and happened within this one
            own, parent, op = f"error {row['id']}", row["span"], row["type"]
        made.append(
            Span(
                id=own,
                parent=parent,
                op=op,
                name=row["title"],
                started=row["started"],
                ended=row["started"] + (row["duration"] or 0.0),
                kind=row["kind"],
                status=row["level"],
                entry=row["id"],
            )
        )
    return made


def arrange(spans: list[Span]) -> Waterfall:
    """Put spans below those that called them, in the order of their beginning."""
    if not spans:
        return Waterfall()
    spans = sorted(spans, key=lambda span: span.started)
    first = spans[0].started
    whole = max(max(span.ended for span in spans) - first, 1e-6)
    known = {span.id for span in spans if span.id}
    below: defaultdict[str, list[Span]] = defaultdict(list)
    roots = []
    for span in spans:
        if span.parent and span.parent in known and span.parent != span.id:
            below[span.parent].append(span)
        else:
            roots.append(span)
    made, seen = Waterfall(seconds=whole), set()
    waiting = [(span, 0) for span in reversed(roots)]
    leftover = iter(spans)
    while len(made.bars) < MOST_ROWS:
        if not waiting:  # spans that call each other in a circle hang from no root
            lone = next((span for span in leftover if id(span) not in seen), None)
            if lone is None:
                break
            waiting.append((lone, 0))
        span, depth = waiting.pop()
        if id(span) in seen:
            continue
        seen.add(id(span))
        x = 1000 * (span.started - first) / whole
        width = max(2.0, 1000 * max(0.0, span.ended - span.started) / whole)
        x = min(x, 998.0)
        bar = Bar(
            span,
            min(depth, _DEEPEST),
            round(x, 2),
            round(min(width, 1000 - x), 2),
            span.ended - span.started,
        )
        made.bars.append(bar)
        waiting += [(child, depth + 1) for child in reversed(below.get(span.id, ()))]
    made.left_out = len(spans) - len(made.bars)
    return made


def _span(one: dict[str, Any], kind: str, entry: int | None) -> Span:
    started = moment(one.get("start_timestamp")) or 0.0
    ended = moment(one.get("timestamp")) or started
    return Span(
        id=text(one.get("span_id"), 40),
        parent=text(one.get("parent_span_id"), 40),
        op=text(one.get("op"), 60),
        name=text(one.get("description")) or text(one.get("op"), 60) or "(unnamed)",
        started=started,
        ended=max(started, ended),
        kind=kind,
        status=text(one.get("status"), 40),
        entry=entry,
    )
