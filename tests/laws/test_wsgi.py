"""Law 3: a WSGI app that is mounted within ours makes no transaction of its own, and passes no filter or rate by."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

import asgi_sentry
from asgi_sentry.testing import request
from tests.conftest import Start, transactions


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/boom":
        raise RuntimeError("boom")
    start_response("200 OK", [])
    return [b"answer"]


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    """As the adapters of a2wsgi and asgiref do, in a worker thread with the context of the request."""
    environ = {"REQUEST_METHOD": scope["method"], "PATH_INFO": scope["path"], "wsgi.url_scheme": "http"}
    environ |= {"SERVER_NAME": "h", "SERVER_PORT": "80"}

    def call() -> bytes:
        return b"".join(SentryWsgiMiddleware(wsgi)(environ, lambda *_: None))

    body = await asyncio.to_thread(call)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("path", ["/page", "/health", "/busy"])
def test_one_request_is_one_transaction_at_most(start: Start, path: str) -> None:
    transport = start()
    app = asgi_sentry.compose(
        mounted,
        asgi_sentry.TransactionFilterMiddleware,
        partial(asgi_sentry.PathSamplingMiddleware, rates={"/busy": 0.0}),
    )
    for _ in range(2):
        assert asyncio.run(request(app, path=path)).body == b"answer"
    assert len(transactions(transport)) == (2 if path == "/page" else 0)


def test_its_error_is_reported_once(start: Start) -> None:
    transport = start()
    with pytest.raises(RuntimeError, match="boom"):
        asyncio.run(request(asgi_sentry.wrap(mounted), path="/boom"))
    assert len(transport.items("event")) == 1
    assert len(transactions(transport)) == 1


def test_outside_of_our_requests_it_looks_after_its_own(start: Start) -> None:
    transport = start()

    async def both() -> None:
        await request(asgi_sentry.wrap(mounted), path="/page")
        await request(mounted, path="/alone")

    asyncio.run(both())
    assert len(transactions(transport)) == 2
