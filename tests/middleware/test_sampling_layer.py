"""Rates by path: arguments and their effect."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_sentry import PathSamplingMiddleware, Rate
from asgi_sentry.testing import request
from tests.conftest import Start, transactions

PARENT = "d49d9bf66f13450b81f65bc51cf49c03-1cc4b26ab9094ef0-{}"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"rates": ["/a"]}, TypeError, "rates"),
        ({"rates": "/a=0.1"}, TypeError, "rates"),
        ({"rates": {"/a": 1.1}}, ValueError, "'/a'"),
        ({"rates": {"/a": -0.1}}, ValueError, "'/a'"),
        ({"rates": {"/a": float("nan")}}, ValueError, "'/a'"),
        ({"rates": {"a": 0.5}}, ValueError, "'a'"),
        ({"default": 2}, ValueError, "default"),
        ({"parent": "no"}, ValueError, "'inherit' or 'ignore'"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        PathSamplingMiddleware(app, **options)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "parent", "sampled"),
    [
        ({}, None, True),
        ({"rates": {"/p": 0.0}}, None, False),
        ({"rates": {"/p": 0.0}}, "1", False),
        ({"rates": {"/p": 1.0}}, "0", False),
        ({"rates": {"/p": 1.0}, "parent": "ignore"}, "0", True),
        ({"rates": {"/q": 0.0}}, None, True),
        ({"rates": {"/q": 1.0}, "default": 0.0}, None, False),
        ({"rates": {"/p": Rate(1.0, at_most="1/minute")}}, "1", True),
    ],
)
async def test_rates_parents_and_defaults(
    start: Start, options: dict[str, Any], parent: str | None, sampled: bool
) -> None:
    transport = start(traces_sample_rate=1.0)
    headers = [("sentry-trace", PARENT.format(parent))] if parent else []
    await request(PathSamplingMiddleware(app, **options), path="/p", headers=headers)
    assert len(transactions(transport)) == int(sampled)


@pytest.mark.anyio
async def test_at_most_holds_whatever_parents_say(start: Start) -> None:
    transport = start()
    stack = PathSamplingMiddleware(app, rates={"/p": Rate(1.0, at_most="3/hour")})
    for _ in range(10):
        await request(stack, path="/p", headers=[("sentry-trace", PARENT.format(1))])
    assert len(transactions(transport)) == 3


@pytest.mark.anyio
async def test_a_hidden_root_does_not_ask_the_limits_twice(start: Start) -> None:
    from asgi_sentry import SentryMiddleware, compose

    def hide(app: Any) -> Any:
        async def closed(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        return closed

    transport = start()
    layer = PathSamplingMiddleware(compose(app, hide, SentryMiddleware), rates={"/p": Rate(1.0, at_most="4/hour")})
    for _ in range(4):
        await request(layer, path="/p")
    assert len(transactions(transport)) == 4
