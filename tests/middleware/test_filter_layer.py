"""Which requests are no transactions: arguments and their effect."""

from __future__ import annotations

import re
from typing import Any

import pytest

from asgi_sentry import TransactionFilterMiddleware
from asgi_sentry.testing import request
from tests.conftest import Start, transactions


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["query_string"] == b"fail":
        raise ValueError("boom")
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"exclude": "/health"}, TypeError, "exclude"),
        ({"exclude": 7}, TypeError, "exclude"),
        ({"exclude": ("health",)}, ValueError, "'health'"),
        ({"exclude": ("/a/{",)}, ValueError, re.escape("'/a/{'")),
        ({"exclude": (7,)}, TypeError, "7"),
        ({"methods": "HEAD"}, TypeError, "methods"),
        ({"methods": ("",)}, ValueError, "methods"),
        ({"methods": (7,)}, ValueError, "methods"),
        ({"user_agents": "probe"}, TypeError, "user_agents"),
        ({"user_agents": (" ",)}, ValueError, "user_agents"),
        ({"user_agents": (b"probe",)}, ValueError, "user_agents"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        TransactionFilterMiddleware(app, **options)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "agent", "excluded"),
    [
        ("GET", "/health", "", True),
        ("GET", "/healthcare", "", False),
        ("GET", "/static/a.css", "", True),
        ("HEAD", "/x", "", True),
        ("OPTIONS", "/x", "", True),
        ("GET", "/x", "a kube-probe/1", True),
        ("GET", "/x", "Mozilla", False),
    ],
)
async def test_what_is_excluded_is_no_transaction_but_its_error_is_reported(
    start: Start, method: str, path: str, agent: str, excluded: bool
) -> None:
    transport = start()
    stack = TransactionFilterMiddleware(app, user_agents=("kube-probe",))
    headers = [("user-agent", agent)]
    await request(stack, method, path, headers=headers)
    assert len(transactions(transport)) == (0 if excluded else 1)
    with pytest.raises(ValueError, match="boom"):
        await request(stack, method, path, headers=headers, query=b"fail")
    assert len(transport.items("event")) == 1


@pytest.mark.anyio
async def test_methods_are_told_in_any_case(start: Start) -> None:
    transport = start()
    await request(TransactionFilterMiddleware(app, methods=("get",)))
    assert transactions(transport) == []


@pytest.mark.anyio
async def test_a_parent_does_not_force_what_is_excluded(start: Start) -> None:
    transport = start()
    headers = [("sentry-trace", "d49d9bf66f13450b81f65bc51cf49c03-1cc4b26ab9094ef0-1")]
    await request(TransactionFilterMiddleware(app), path="/health", headers=headers)
    assert transactions(transport) == []
