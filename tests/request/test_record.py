"""The request record: opened once, found from everywhere, revised by layers that join late, closed once."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import (
    BodyScrubbingMiddleware,
    PathSamplingMiddleware,
    Rate,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    compose,
    set_user_context,
    trace_function,
)
from asgi_sentry._request.facts import trouble_of
from asgi_sentry._request.plan import Plan
from asgi_sentry._request.record import KEY, RequestRecord, current
from asgi_sentry._sdk import NOBODY, OWNER, view
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
    return RequestRecord(Plan(), seen, full, None, OWNER.get(NOBODY)), full


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


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("boom")


async def answers_500(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def captures(scope: Any, receive: Any, send: Any) -> None:
    sentry_sdk.capture_message("hello")


async def reads(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    set_user_context("7", email="a@example.com")
    await trace_function("db")(app)(scope, receive, send)


async def calls_itself(scope: Any, receive: Any, send: Any) -> None:
    await request(SentryMiddleware(app), path="/inner")


async def shakes(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close"})


APPS = [app, raises, answers_500, captures, reads, calls_itself, shakes, SentryMiddleware(hide(SentryMiddleware(app)))]
PATHS = ["/excluded", "/unsampled", "/adaptive", "/sampled"]


@pytest.mark.parametrize("served", APPS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("around", ["nothing", "an exception", "a request"])
async def test_a_closed_record_holds_nothing_of_what_was_noted(
    start: Start, served: Any, path: str, around: str
) -> None:
    """Whether it closed by the short way of a request of which nothing is noted, or by the long one."""
    start()
    seen: list[RequestRecord] = []

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope[KEY])
        await served(scope, receive, send)

    rates = {"/adaptive": Rate.adaptive("1/second"), "/unsampled": 1e-9}
    stack = compose(
        looking,
        partial(TransactionFilterMiddleware, exclude=["/excluded"]),
        partial(PathSamplingMiddleware, rates=rates),
        BodyScrubbingMiddleware,
    )
    kind = {"type": "websocket", "method": None} if served is shakes else {}

    async def go(*_: Any) -> None:
        await request(stack, path=path, scope=kind)

    with contextlib.suppress(ValueError):
        if around == "a request":
            await request(SentryMiddleware(go), path="/around")
        elif around == "an exception":
            try:
                raise KeyError
            except KeyError:
                await go()
        else:
            await go()
    (record,) = seen
    assert record.closed
    held = {
        name: vars(record).get(name) for name in ("trouble", "entered_with", "_report", "_outer", "watched", "root")
    }
    if not getattr(held["root"], "recording", True):
        del held["root"]  # that of all requests which are not sampled
    assert {name for name, value in held.items() if value is not None} == set()
    assert record.scopes.current is record.scopes.isolation is None
