"""The request record: opened once, found from everywhere, revised by layers that join late, closed once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import (
    PathSamplingMiddleware,
    Rate,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    compose,
)
from asgi_sentry._request.facts import trouble_of
from asgi_sentry._request.plan import Plan
from asgi_sentry._request.record import KEY, RequestRecord, current
from asgi_sentry._sdk import view
from asgi_sentry.testing import request
from tests.conftest import Start, transactions

pytestmark = pytest.mark.anyio


def hide(app: Any) -> Any:
    async def closed(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return closed


async def app(scope: Any, receive: Any, send: Any) -> None:
    scope["route"] = "/x"
    await send({"type": "http.response.start", "status": 200, "headers": []})


def opened(**scope: Any) -> tuple[RequestRecord, dict[str, Any]]:
    seen = view()
    assert seen is not None
    full = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
    return RequestRecord(Plan(), seen, full), full


async def test_it_is_in_the_scope_and_in_the_context_until_it_is_closed(start: Start) -> None:
    start()
    record, scope = opened()
    assert scope[KEY] is record
    assert current() is record
    record.close()
    assert KEY not in scope
    assert current() is None
    assert record.closed


async def test_closing_twice_is_closing_once(start: Start) -> None:
    transport = start()
    record, _ = opened()
    trouble_of(record).failure = ValueError("boom")
    record.close()
    record.close()
    assert len(transactions(transport)) == 1
    assert len(transport.items("event")) == 1


async def test_a_record_shows_nothing_of_what_it_holds(start: Start) -> None:
    start()
    record, _ = opened(path="/s3cr3t", query_string=b"s3cr3t")
    assert "s3cr3t" not in repr(record)
    record.close()


async def test_records_within_each_other_are_left_in_order(start: Start) -> None:
    start()
    outer, _ = opened(path="/outer")
    inner, _ = opened(path="/inner")
    assert current() is inner
    inner.close()
    assert current() is outer
    outer.close()
    assert current() is None


async def test_an_outer_one_that_is_closed_first_leaves_all(start: Start) -> None:
    start()
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    outer, _ = opened(path="/outer")
    inner, _ = opened(path="/inner")
    outer.close()
    assert current() is None
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before
    inner.close()
    assert current() is None
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before


@pytest.mark.parametrize(
    ("outer", "inner", "sent"),
    [
        (SentryMiddleware, partial(TransactionFilterMiddleware, exclude=("/p",)), 0),
        (partial(TransactionFilterMiddleware, exclude=("/p",)), SentryMiddleware, 0),
        (SentryMiddleware, partial(PathSamplingMiddleware, rates={"/p": 0.0}), 0),
        (partial(PathSamplingMiddleware, rates={"/p": 0.0}), partial(PathSamplingMiddleware, rates={"/p": 1.0}), 0),
        (partial(PathSamplingMiddleware, rates={"/p": 1.0}), partial(PathSamplingMiddleware, rates={"/p": 0.0}), 1),
        (UserContextMiddleware, SentryMiddleware, 1),
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
async def test_a_layer_that_joins_late_decides_as_one_that_was_seen(
    start: Start, outer: Any, inner: Any, sent: int, hidden: bool
) -> None:
    transport = start()
    layers = (outer, hide, inner) if hidden else (outer, inner)
    await request(compose(app, *layers), path="/p")
    assert len(transactions(transport)) == sent
    assert all(category != "error" for _, category, _ in transport.lost)
    transactions_lost = [each for each in transport.lost if each[1] in {"transaction", "span"}]
    assert bool(transactions_lost) == (sent == 0)


async def test_limits_are_asked_once_a_request_whatever_joins(start: Start) -> None:
    transport = start()
    sampling = partial(PathSamplingMiddleware, rates={"/p": Rate(1.0, at_most="4/hour")})
    stack = compose(
        app, sampling, hide, UserContextMiddleware, hide, SentryMiddleware, hide, TransactionFilterMiddleware
    )
    for _ in range(6):
        await request(stack, path="/p")
    assert len(transactions(transport)) == 4


@pytest.mark.parametrize("status", [None, 200, 404, 500, 503])
@pytest.mark.parametrize("failing", [False, True])
async def test_the_status_that_is_sent(start: Start, status: int | None, failing: bool) -> None:
    transport = start()

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        if status is not None:
            await send({"type": "http.response.start", "status": status, "headers": []})
        if failing:
            raise ValueError("boom")

    stack = SentryMiddleware(answering)
    if failing:
        with pytest.raises(ValueError, match="boom"):
            await request(stack)
    else:
        await request(stack)
    (root,) = transactions(transport)
    assert root["status"] == (status if status is not None or not failing else 500)


async def test_one_that_was_handled_and_raised_again_is_one_error(start: Start) -> None:
    transport = start()

    async def twice(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise ValueError("boom")
        except ValueError:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            raise

    with pytest.raises(ValueError, match="boom"):
        await request(SentryMiddleware(twice))
    assert len(transport.items("event")) == 1


async def test_the_trace_is_one_throughout_a_request_and_new_for_the_next(start: Start) -> None:
    start(traces_sample_rate=0.0)
    seen: list[str] = []

    async def asking(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((sentry_sdk.get_traceparent() or "").split("-")[0] for _ in range(2))

    for _ in range(2):
        await request(SentryMiddleware(asking))
    assert seen[0] == seen[1] != seen[2] == seen[3]
