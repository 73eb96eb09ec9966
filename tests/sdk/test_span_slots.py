"""Spans and transactions that are made by hand hold what those have that the SDK makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.tracing import Span, Transaction

import asgi_sentry
from asgi_sentry._request.record import current as current_record
from asgi_sentry._sdk import begin_transaction, span_slots
from asgi_sentry._sdk.direct_transaction import DirectTransaction
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN

pytestmark = [
    pytest.mark.skipif(sentry_sdk.VERSION.startswith("3"), reason="version 3 has no transactions"),
    pytest.mark.skipif(not span_slots.are_known, reason="this version makes its spans itself"),
]
OWN = {"start_timestamp", "_start_timestamp_monotonic_ns", "_sample_rand", "_span_recorder", "_baggage"}


def held(span: Any) -> dict[str, Any]:
    """What a span holds, but for its times, ids and dice, of which the types are."""
    names = {*Span.__slots__, *(Transaction.__slots__ if isinstance(span, Transaction) else ())} - {"_span_id"}
    found = {name: getattr(span, name, "unset") for name in names}
    return {name: type(value) if name in OWN else value for name, value in found.items()}


def within(work: Any) -> RecordingTransport:
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0), transport=transport)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        work()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    anyio.run(lambda: request(asgi_sentry.wrap(app)))
    return transport


def current() -> DirectTransaction:
    span = sentry_sdk.get_current_span()
    assert isinstance(span, DirectTransaction)
    return span


def test_a_transaction_holds_what_the_sdks_holds() -> None:
    found: list[Any] = []

    def work() -> None:
        ours = current()
        view, scopes = ours.view, current_record().scopes  # type: ignore[union-attr]
        context = scopes.isolation._propagation_context
        named = {"op": "http.server", "name": ours.name, "sampled": True}
        for make in (begin_transaction.transaction_of, begin_transaction._by_the_sdk):
            found.append(held(make(view, context, ours.threads, **named)))

    within(work)
    by_hand, by_the_sdk = found
    assert {**by_hand, "_baggage": 0} == {**by_the_sdk, "_baggage": 0}


@pytest.mark.parametrize(
    "given",
    [
        {"op": "db", "name": "SELECT 1"},
        {"op": "db", "name": ""},
        {"name": "x", "origin": "auto.db"},
        {},
        {"op": "db", "status": "ok"},
        {"op": "db", "sampled": False},
        {"op": "db", "start_timestamp": 1.0},
    ],
)
def test_a_child_holds_what_the_sdks_holds(given: dict[str, Any]) -> None:
    found: list[dict[str, Any]] = []

    def work() -> None:
        ours = current()
        children = [ours.start_child(**given), Transaction.start_child(ours, **given)]
        assert [span for span in ours._span_recorder.spans if span in children] == children  # type: ignore[union-attr]
        for child in children:
            assert child.span_id != ours.span_id
            assert isinstance(child.start_timestamp, datetime)
            found.append(held(child))

    within(work)
    by_hand, by_the_sdk = found
    assert by_hand == by_the_sdk


def test_another_instrumenter_gets_no_span() -> None:
    def work() -> None:
        assert current().start_child(instrumenter="otel").__class__ is not Span

    within(work)


def test_a_span_is_started_below_the_one_that_stands_in_the_scope_it_is_started_on() -> None:
    def work() -> None:
        with sentry_sdk.start_span(op="a", name="outer") as outer:
            assert sentry_sdk.get_current_span() is outer
            with sentry_sdk.start_span(op="b", name="inner") as inner:
                assert inner.parent_span_id == outer.span_id
            assert sentry_sdk.get_current_span() is outer
        with pytest.warns(DeprecationWarning, match="description"):
            sentry_sdk.start_span(op="c", description="old").finish()

    (transaction,) = within(work).items("transaction")
    assert [(span["op"], span["description"]) for span in transaction["spans"]] == [
        ("a", "outer"),
        ("b", "inner"),
        ("c", "old"),
    ]
