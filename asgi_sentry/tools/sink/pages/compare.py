"""What Sentry would get: the same request as two senders report it, value by value.

Two entries are a pair if they have the same trace and kind, and one was sent under the name of the
other with `plain/` in front: `http://key@host/plain/shop/1` by the SDK alone,
`http://key@host/shop/1` by asgi-sentry.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing import FILTERED
from asgi_sentry.tools.sink.entries import PLAIN

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from asgi_sentry.tools.sink.store import Store

MOST_VALUES = 3_000
_MOST_PAIRS = 200
_LONGEST = 600
_DEEPEST = 24


class Pair(NamedTuple):
    """The same thing as two senders report it; one side may be missing."""

    kind: str
    title: str
    sender: str
    plain: sqlite3.Row
    ours: sqlite3.Row | None


class Value(NamedTuple):
    """One place of two payloads."""

    place: str
    plain: str | None
    ours: str | None
    what: str
    """`redacted`, `missing` (not sent by us), `added`, `other` or `same`."""


class Compared(NamedTuple):
    """Two payloads, section by section."""

    sections: list[tuple[str, list[Value]]]
    counts: dict[str, int]
    cut: bool


def pairs(store: Store) -> list[Pair]:
    """Everything that was sent under a name with `plain` in front, with its counterpart."""
    columns = "id, kind, title, sender, trace, bytes, redacted, route"
    rows = store.ask(
        f"SELECT {columns} FROM entries WHERE sender LIKE ?"  # noqa: S608
        " AND kind IN ('error', 'transaction') ORDER BY id DESC LIMIT ?",
        f"{PLAIN}/%",
        _MOST_PAIRS,
    )
    made = []
    for row in rows:
        sender = row["sender"].removeprefix(f"{PLAIN}/")
        ours = store.ask(
            f"SELECT {columns} FROM entries WHERE trace = ? AND trace <> ''"  # noqa: S608
            " AND kind = ? AND sender = ? ORDER BY id LIMIT 1",
            row["trace"],
            row["kind"],
            sender,
        )
        title = row["route"] if row["kind"] == "transaction" else row["title"]
        made.append(Pair(row["kind"], title, sender, row, ours[0] if ours else None))
    return sorted(made, key=lambda pair: (pair.sender, pair.kind, pair.ours is None, pair.title))


def counterpart(store: Store, entry: sqlite3.Row) -> int | None:
    """The other entry of a pair."""
    sender = entry["sender"]
    plain = sender.startswith(f"{PLAIN}/")
    other = f"{PLAIN}/{sender}"
    if plain:
        other = sender.removeprefix(f"{PLAIN}/")
    rows = store.ask(
        "SELECT id FROM entries WHERE trace = ? AND trace <> '' AND kind = ? AND sender = ? LIMIT "
        "1",
        entry["trace"],
        entry["kind"],
        other,
    )
    return rows[0]["id"] if rows else None


def compare(plain: Any, ours: Any) -> Compared:
    """Hold two payloads against each other."""
    first, second = dict(_flat(plain)), dict(_flat(ours))
    cut = len(first) >= MOST_VALUES or len(second) >= MOST_VALUES
    sections: dict[str, list[Value]] = {}
    counts = dict.fromkeys(("redacted", "missing", "added", "other", "same"), 0)
    whole = {place for place, value in second.items() if value == FILTERED and place not in first}
    for place in list(dict.fromkeys([*first, *second])):
        one, two = first.get(place), second.get(place)
        if two is None and (above := _above(place, whole)) is not None:
            two = second[above]  # a container that was redacted as a whole stands for what is in it
        elif (
            one is None and place in whole and any(inner[: len(place)] == place for inner in first)
        ):
            continue
        what = _what(one, two)
        counts[what] += 1
        sections.setdefault(place[0], []).append(Value(_written(place), one, two, what))
    order = {name: number for number, name in enumerate(_ORDER)}
    ordered = sorted(sections.items(), key=lambda pair: order.get(pair[0], len(order)))
    return Compared(ordered, counts, cut)


_ORDER = (
    "request",
    "user",
    "exception",
    "breadcrumbs",
    "logentry",
    "extra",
    "tags",
    "spans",
    "contexts",
)


def _what(one: str | None, two: str | None) -> str:
    if one == two:
        return "same"
    if two is None:
        return "missing"
    if one is None:
        return "added"
    if FILTERED in two and one.count(FILTERED) < two.count(FILTERED):
        return "redacted"
    return "other"


def _above(place: tuple[str, ...], whole: set[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The redacted container that a place is in."""
    if not whole:
        return None
    return next((place[:end] for end in range(len(place) - 1, 0, -1) if place[:end] in whole), None)


def _flat(payload: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each value by its place; frames and the like by what they are, since their number differs."""
    if not isinstance(payload, dict):
        return
    left = MOST_VALUES
    waiting: list[tuple[tuple[str, ...], Any]] = [
        ((name,), value)
        for name, value in reversed(payload.items())
        if name not in {"_meta", "modules"}
    ]
    while waiting and left:
        place, value = waiting.pop()
        if isinstance(value, dict) and value and len(place) < _DEEPEST:
            waiting += [((*place, name), inner) for name, inner in reversed(value.items())]
        elif isinstance(value, list) and value and len(place) < _DEEPEST:
            waiting += reversed(list(_named(place, value)))
        else:
            left -= 1
            yield place, _said(value)


def _named(place: tuple[str, ...], values: list[Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    seen: dict[str, int] = {}
    for number, value in enumerate(values):
        name = f"[{number}]"
        if isinstance(value, dict):
            known = _name(value)
            if known:
                seen[known] = seen.get(known, 0) + 1
                name = known if seen[known] == 1 else f"{known} #{seen[known]}"
        yield (*place, name), value


def _name(value: dict[str, Any]) -> str:
    if "function" in value and "filename" in value:
        return f"{value['filename']}:{value['function']}"[:160]
    if isinstance(value.get("type"), str) and "stacktrace" in value:
        return str(value["type"])[:80]
    if "span_id" in value and "op" in value:
        return f"{value['op']}"[:80]
    return ""


def _said(value: Any) -> str:
    if isinstance(value, str):
        shown = value
    else:
        try:
            shown = json.dumps(value, ensure_ascii=False)
        except (ValueError, RecursionError):
            shown = "(can't be shown)"
    if len(shown) <= _LONGEST:
        return shown
    return f"{shown[:_LONGEST]} …"


def _written(place: tuple[str, ...]) -> str:
    steps = [step for step in place[1:] if step not in {"values", "stacktrace", "frames"}]
    written = "".join(step if step[:1] == "[" else f" > {step}" for step in steps)
    return written.removeprefix(" > ") or place[0]
