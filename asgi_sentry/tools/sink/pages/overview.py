"""The overview: what arrives of each route, what it costs, what was redacted or not sent."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry.tools.sink.entries import KINDS, is_plain
from asgi_sentry.tools.sink.pages import charts
from asgi_sentry.tools.sink.pages.formats import clock
from asgi_sentry.tools.sink.rows import TICK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry.tools.sink.store import Store

CHARTED = ("error", "transaction", "span", "log", "metric", "session", "check_in")
_COLUMNS = 60
_MONTH = 30 * 86_400.0
_SHOWN_ROUTES = 100
_QUOTAS = (
    "error",
    "transaction",
    "span",
    "log_item",
    "trace_metric",
    "attachment",
    "monitor",
    "replay",
    "profile",
)


class Route(NamedTuple):
    """One line of the table; what nobody told is None."""

    name: str
    requests: float | None
    estimated: bool
    """Whether the requests were extrapolated by the sample rates."""
    kept: int
    late: int
    excluded: int | None
    sampled_out: float | None
    errors: int
    percent: float


class Quota(NamedTuple):
    """The use of one category."""

    category: str
    used: int
    a_month: float
    budget: int | None
    percent: float
    """Of the budget, by the month's projection."""
    bytes: int

    @property
    def over(self) -> bool:
        """Whether the budget will not do."""
        return self.budget is not None and self.a_month > self.budget


def overview(
    store: Store, *, sender: str | None, budgets: Mapping[str, int], now: float | None = None
) -> dict[str, Any]:
    """Everything that the page shows.

    Args:
        store: what was received.
        sender: whose; None for all but those to compare with.
        budgets: items a month, by category.
        now: seconds since the epoch.
    """
    if now is None:
        now = time.time()
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    senders: dict[str, float] = defaultdict(float)
    for row in store.ask("SELECT sender, what, name, n FROM totals"):
        name = row["sender"]
        if row["what"] == "seen" and row["name"] == "envelopes":
            senders[name] += row["n"]
        if name == sender or (sender is None and not is_plain(name)):
            totals[row["what"]][row["name"]] += row["n"]
    first, last = store.ask("SELECT min(tick), max(tick) FROM ticks")[0]
    seen = store.ask("SELECT min(arrived) FROM envelopes")[0][0]
    since = now
    if seen is not None:
        since = seen
    kinds = {kind: int(totals["kind"][kind]) for kind in KINDS if totals["kind"].get(kind)}
    rules = charts.rows(totals["rule"], 14)
    routes = _routes(totals)
    return {
        "senders": dict(sorted(senders.items())),
        "plain_too": any(is_plain(name) for name in senders),
        "kinds": kinds,
        "bytes": totals["seen"].get("bytes", 0),
        "envelopes": totals["seen"].get("envelopes", 0),
        "evicted": int(_sum(store, "evicted")),
        "redactions": sum(totals["rule"].values()),
        "rules": rules,
        "routes": routes[:_SHOWN_ROUTES],
        "more_routes": max(0, len(routes) - _SHOWN_ROUTES),
        "sums": _sums(routes),
        "lost": charts.rows(totals["lost"], 10),
        "decided": charts.rows(totals["decided"], 12),
        "quotas": _quotas(totals, budgets, max(now - since, 60.0)),
        "since": since,
        "chart": _chart(store, sender, first, last),
    }


def _sum(store: Store, name: str) -> float:
    question = "SELECT coalesce(sum(n), 0) FROM totals WHERE what = 'seen' AND name = ?"
    found: float = store.ask(question, name)[0][0]
    return found


def _routes(totals: Mapping[str, Mapping[str, float]]) -> list[Route]:
    empty: dict[str, float] = {}
    kept, estimated = totals.get("route:kept", empty), totals.get("route:estimated", empty)
    late, errors = totals.get("route:late", empty), totals.get("route:errors", empty)
    asked, excluded = totals.get("route:requests", empty), totals.get("route:excluded", empty)
    names = {*kept, *errors, *asked}
    most = max((asked.get(name) or estimated.get(name, 0) for name in names), default=0)
    made = []
    for name in names:
        told = name in asked
        requests = asked.get(name, estimated.get(name))
        out: float | None = None
        if requests is not None:
            left_out = excluded.get(name, 0) if told else 0
            out = max(0.0, requests - kept.get(name, 0) - left_out)
        made.append(
            Route(
                name=name or "(no route)",
                requests=requests,
                estimated=not told,
                kept=int(kept.get(name, 0)),
                late=int(late.get(name, 0)),
                excluded=int(excluded.get(name, 0)) if told else None,
                sampled_out=out,
                errors=int(errors.get(name, 0)),
                percent=charts.share(requests or 0, most),
            )
        )
    return sorted(made, key=lambda route: (-(route.requests or 0), -route.errors, route.name))


def _sums(routes: list[Route]) -> dict[str, float]:
    return {
        name: sum(getattr(route, name) or 0 for route in routes)
        for name in ("requests", "kept", "late", "excluded", "sampled_out", "errors")
    }


def _quotas(
    totals: Mapping[str, Mapping[str, float]], budgets: Mapping[str, int], seconds: float
) -> list[Quota]:
    empty: dict[str, float] = {}
    used, sizes = totals.get("quota", empty), totals.get("bytes", empty)
    made = []
    for category in _QUOTAS:
        n, budget = int(used.get(category, 0)), budgets.get(category)
        if not n and budget is None:
            continue
        a_month = n / seconds * _MONTH
        percent = 0.0
        if budget:
            percent = charts.share(a_month, budget)
        made.append(Quota(category, n, a_month, budget, percent, int(sizes.get(category, 0))))
    return made


def _chart(store: Store, sender: str | None, first: int | None, last: int | None) -> dict[str, Any]:
    """The columns of the time line: as fine as they can be, 60 at most."""
    if first is None or last is None:
        return {"bars": [], "tallest": 0, "kinds": []}
    width = max(1, -(-(last - first + 1) // _COLUMNS))
    by_column: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in store.ask("SELECT tick, sender, kind, n FROM ticks"):
        name = row["sender"]
        if name == sender or (sender is None and not is_plain(name)):
            by_column[(row["tick"] - first) // width][row["kind"]] += row["n"]
    columns_used = (last - first) // width + 1
    lead = max(0, 12 - columns_used)  # empty ones in front of a short run
    count = columns_used + lead
    first -= lead * width
    columns = [
        (clock((first + number * width) * TICK), by_column.get(number - lead, {}))
        for number in range(count)
    ]
    bars, tallest = charts.stacked(columns, CHARTED)
    there = {bar.kind for bar in bars}
    return {
        "bars": bars,
        "tallest": tallest,
        "kinds": [kind for kind in CHARTED if kind in there],
        "from": clock(first * TICK),
        "to": clock((first + count * width) * TICK),
        "seconds": width * TICK,
    }
