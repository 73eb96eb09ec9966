"""What else is told of a request: status, address, path, and the kind of connection."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests import apps


def call(app: Any, path: str = "/", **more: Any) -> None:
    async def serve() -> None:
        try:
            await request(app, path=path, **more)
        except RuntimeError:
            """The app's own."""

    anyio.run(serve)


def segment(transport: RecordingTransport) -> dict[str, Any]:
    sentry_sdk.flush()
    (span,) = [each for each in transport.items("span") if each["is_segment"]]
    return {name: entry["value"] for name, entry in span["attributes"].items()}


@pytest.mark.parametrize(("path", "status"), [("/boom", 500), ("/http-500", 500), ("/teapot", 503)])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_an_error_has_the_status_that_was_answered(start, mode, framework, path, status):
    transport = start()
    call(asgi_sentry.wrap(apps.FRAMEWORKS[framework]()), path)
    (event,) = transport.items("event")
    assert event["contexts"]["response"]["status_code"] == status


def test_one_before_the_answer_has_none(start, mode):
    transport = start()
    call(asgi_sentry.wrap(apps.starlette_app(work=lambda _: asgi_sentry.capture_message("here"))), "/work")
    (event,) = transport.items("event")
    assert "response" not in event["contexts"]


def test_what_else_the_app_says_of_the_response_stays(start, mode):
    def work(_: Any) -> None:
        asgi_sentry.set_context("response", {"cached": True})
        apps.fail()

    transport = start()
    call(asgi_sentry.wrap(apps.starlette_app(work=work)), "/work")
    (event,) = transport.items("event")
    assert event["contexts"]["response"] == {"cached": True, "status_code": 500}


HEADERS = [("user-agent", "Shop/1.0"), ("host", "shop.example")]


def test_a_segment_says_where_and_by_whom(start, mode):
    if mode == "classic":
        pytest.skip("a transaction has a request section")
    transport = start()
    layers = (
        asgi_sentry.HeaderScrubbingMiddleware,
        partial(asgi_sentry.UserContextMiddleware, client_ip="truncate"),
    )
    app = asgi_sentry.compose(apps.starlette_app(), *layers)
    call(app, "/items/7", headers=HEADERS, query=b"token=abcdefgh", scope={"client": ("192.0.2.77", 1)})
    found = segment(transport)
    assert found["url.path"] == "/items/7"
    assert found["user_agent.original"] == "Shop/1.0"
    assert found["network.protocol.name"] == "http"
    assert found["client.address"] == "192.0.2.0"


def test_nothing_that_no_layer_lets_pass(start, mode):
    if mode == "classic":
        pytest.skip("a transaction has a request section")
    transport = start()
    call(
        asgi_sentry.SentryMiddleware(apps.starlette_app()),
        "/items/7",
        headers=HEADERS,
        scope={"client": ("192.0.2.77", 1)},
    )
    found = segment(transport)
    assert not {"user_agent.original", "client.address"} & found.keys()
    assert found["url.path"] == "/items/7"


def test_the_kind_of_connection_is_a_tag(start, mode):
    transport = start()
    app = asgi_sentry.wrap(apps.starlette_app())
    call(app, "/items/7")
    anyio.run(apps.converse, app, "/ws/talk", "hello")
    sentry_sdk.flush()
    if mode == "classic":
        found = [event["tags"]["asgi.type"] for event in transport.items("transaction")]
    else:
        found = [span["attributes"]["network.protocol.name"]["value"] for span in transport.items("span")]
    assert found == ["http", "websocket"]
