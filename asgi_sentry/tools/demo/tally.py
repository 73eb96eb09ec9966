"""What arrived at the sink, counted per app, route and rule, and held against what was asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from asgi_sentry.tools.demo.planting import search
from asgi_sentry.tools.demo.shop_routes import APPS, ROUTES, excluded, route_of
from asgi_sentry.tools.sink.entries import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from asgi_sentry.tools.demo.planting import Findings
    from asgi_sentry.tools.demo.traffic import Driven
    from asgi_sentry.tools.sink import Received


@dataclass(slots=True)
class Arrived:
    """What one app sent."""

    transactions: Counter[str] = field(default_factory=Counter)
    """Per route; where the SDK streams, the segment spans, which Sentry shows as transactions."""
    errors: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """Items of each kind."""
    discarded: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Client reports: (reason, category) to quantity."""
    redactions: Counter[str] = field(default_factory=Counter)
    """Rule to the number of values that Sentry is told it redacted, by `_meta`."""

    def discards(self, category: str) -> int:
        """How many of a category the SDK reported as not sent, for any reason."""
        return sum(count for (_, lost), count in self.discarded.items() if lost == category)


class Row(NamedTuple):
    """One line of the table."""

    app: str
    route: str
    requests: int
    transactions: int
    excluded: int
    sampled_out: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything that the demo measured."""

    rows: tuple[Row, ...]
    redactions: Counter[str]
    kinds: Counter[str]
    planted: Counter[str]
    """Place to number of secrets."""
    findings: Findings
    found: Counter[str]
    """Place to number of secrets found."""
    problems: tuple[str, ...]
    """What contradicts something else, in words; none if the run was good."""
    decisions: Counter[str] = field(default_factory=Counter)
    """What the apps counted themselves, of transactions and of errors, by reason."""


def arrived_by_app(received: Iterable[Received]) -> dict[str, Arrived]:
    """Count what arrived; each app sends to a prefix of its own."""
    apps = {app: Arrived() for app in APPS}
    for envelope in received:
        app = apps.setdefault(envelope.prefix.strip("/"), Arrived())
        for item in envelope.envelope.items:
            app.kinds[item.kind] += 1
            if item.kind in {"transaction", "event"}:
                payload = item.json()
                counted = app.transactions if item.kind == "transaction" else app.errors
                counted[route_of(urlsplit(payload.get("request", {}).get("url", "")).path)] += 1
                app.redactions.update(rules_of(payload.get("_meta")))
            elif item.kind == "span":
                for span in item.json()["items"]:
                    if span.get("is_segment"):
                        url = span.get("attributes", {}).get("url.full", {}).get("value", "")
                        app.transactions[route_of(urlsplit(url).path)] += 1
            elif item.kind == "client_report":
                for lost in item.json()["discarded_events"]:
                    app.discarded[lost["reason"], lost["category"]] += lost["quantity"]
    return apps


def settle(
    driven: Mapping[str, Driven], received: list[Received], planted: dict[str, str]
) -> Result:
    """Put what was asked beside what arrived, and name every contradiction."""
    apps = arrived_by_app(received)
    rows: list[Row] = []
    problems: list[str] = []
    for name, asked in driven.items():
        arrived = apps[name]
        known = [route.rule for route in ROUTES]
        strange = sorted((arrived.transactions.keys() | arrived.errors.keys()) - set(known))
        app_rows = [_row(name, rule, asked, arrived) for rule in known + strange]
        rows += app_rows
        problems += _contradictions(name, app_rows, asked, arrived)
    findings = search(b"\n".join(envelope.raw for envelope in received), planted)
    if findings.count:
        problems.append(f"{findings.count} planted secrets or pieces of them were sent")
    if not any(row.transactions for row in rows) or not any(row.errors for row in rows):
        problems.append("no transaction or no error arrived, so nothing was shown")
    return Result(
        rows=tuple(rows),
        redactions=sum((app.redactions for app in apps.values()), Counter()),
        kinds=sum((app.kinds for app in apps.values()), Counter()),
        planted=Counter(planted.values()),
        findings=findings,
        found=findings.by_place(planted),
        problems=tuple(problems),
    )


def _row(app: str, route: str, asked: Driven, arrived: Arrived) -> Row:
    requests, transactions = asked.requests[route], arrived.transactions[route]
    missing = requests - transactions
    by_rule, by_dice = 0, missing
    if excluded(route):
        by_rule, by_dice = missing, 0
    return Row(
        app=app,
        route=route,
        requests=requests,
        transactions=transactions,
        excluded=by_rule,
        sampled_out=by_dice,
        errors=arrived.errors[route],
    )


def _contradictions(app: str, rows: list[Row], asked: Driven, arrived: Arrived) -> Iterator[str]:
    missing = sum(row.excluded + row.sampled_out for row in rows)
    if arrived.kinds["span"]:
        # Streamed spans are reported one by one, those within an unsampled request as well as its
        # segment.
        discarded = arrived.discards("span")
        agree = discarded >= missing
    else:
        discarded = arrived.discards("transaction")
        agree = discarded == missing
    if not agree:
        reported = ", ".join(
            f"{reason}/{cat}: {n}" for (reason, cat), n in sorted(arrived.discarded.items())
        )
        yield (
            f"{app}: {missing} requests became no transaction, but the client reports that "
            "arrived say "
            f"{discarded} ({reported or 'nothing'})"
        )
    for row in rows:
        if excluded(row.route) and row.transactions:
            yield f"{app} {row.route}: {row.transactions} transactions of an excluded path arrived"
        if row.errors != asked.failures[row.route]:
            failed = asked.failures[row.route]
            yield f"{app} {row.route}: {failed} requests failed, but {row.errors} errors arrived"
        if not row.requests and (row.transactions or row.errors):
            yield f"{app} {row.route}: arrived without having been asked for"
    for (route, status), count in asked.unexpected.items():
        answer = status or "a broken connection"
        yield f"{app} {route}: {count} requests were answered with {answer}"
