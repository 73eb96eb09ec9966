"""The request root: its arguments, and which responses are failures."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from asgi_sentry import SentryMiddleware, compose
from asgi_sentry.testing import request
from tests.conftest import Start, transactions


async def app(scope: Any, receive: Any, send: Any) -> None:
    try:
        raise ValueError("handled")
    except ValueError:
        await send({"type": "http.response.start", "status": int(scope["path"][1:]), "headers": []})


@pytest.mark.parametrize("codes", [500, "500", None, True])
def test_status_codes_are_a_container(codes: Any) -> None:
    with pytest.raises(TypeError, match="failed_request_status_codes"):
        SentryMiddleware(app, failed_request_status_codes=codes)


@pytest.mark.parametrize("value", ["", "Off", None, True, 7])
def test_websockets_is_one_of_three(value: Any) -> None:
    with pytest.raises(ValueError, match="'handshake', 'lifetime', 'off'"):
        SentryMiddleware(app, websockets=value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("codes", "reported"),
    [(range(500, 600), {500, 503}), ({404}, {404}), ((), set()), ([503], {503}), (frozenset({404, 500}), {404, 500})],
)
async def test_an_exception_behind_a_failed_status_is_reported(start: Start, codes: Any, reported: set[int]) -> None:
    transport = start()
    stack = compose(app, partial(SentryMiddleware, failed_request_status_codes=codes))
    for status in (200, 404, 500, 503):
        transport.clear()
        await request(stack, path=f"/{status}")
        assert bool(transport.items("event")) == (status in reported)
        (root,) = transactions(transport)
        assert root["status"] == status


@pytest.mark.anyio
@pytest.mark.parametrize(("mode_", "before", "after"), [("handshake", 1, 1), ("lifetime", 0, 1), ("off", 0, 0)])
async def test_when_the_transaction_of_a_websocket_is_sent(start: Start, mode_: str, before: int, after: int) -> None:
    transport = start()
    counts: list[int] = []

    async def socket(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        counts.append(len(transactions(transport)))
        await send({"type": "websocket.close"})

    async def send(_: Any) -> None:
        pass

    scope = {"type": "websocket", "path": "/", "headers": []}
    await SentryMiddleware(socket, websockets=mode_)(scope, None, send)  # type: ignore[arg-type]
    counts.append(len(transactions(transport)))
    assert counts == [before, after]


@pytest.mark.anyio
async def test_an_exception_around_the_request_is_none_of_its_own(start: Start) -> None:
    transport = start()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})

    try:
        raise KeyError("of a retrying middleware")
    except KeyError:
        await request(SentryMiddleware(failing))
    assert transport.items("event") == []
