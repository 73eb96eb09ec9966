"""What else is told of a request: status, address, path, and the kind of connection."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry._request.head import is_local
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


def told(transport: RecordingTransport, kind: str) -> list[dict[str, Any]]:
    """The attributes of each entry of a kind."""
    sentry_sdk.flush()
    return [{name: entry["value"] for name, entry in each["attributes"].items()} for each in transport.items(kind)]


def test_a_body_on_a_segment_is_json(start, mode):
    """A Python repr would be no more than a text for whoever looks for a part of it."""
    if mode == "classic":
        pytest.skip("a transaction has a request section")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = start()
    headers = [("content-type", "application/json")]
    body = b'{"name": "Zo\xc3\xab", "password": "hunter22", "left": null}'
    call(asgi_sentry.BodyScrubbingMiddleware(app, attach="always"), method="POST", headers=headers, body=body)
    data = segment(transport)["http.request.body.data"]
    assert json.loads(data) == {"name": "Zoë", "password": "[Filtered]", "left": None}


def test_a_query_on_a_segment_has_the_sdks_name_too_and_stands_in_the_url(start, mode):
    if mode == "classic":
        pytest.skip("a transaction has a request section")
    transport = start()
    app = asgi_sentry.HeaderScrubbingMiddleware(apps.starlette_app())
    call(app, "/items/7", headers=HEADERS, query=b"color=red&token=abcdefgh")
    found = segment(transport)
    assert found["http.query"] == found["url.query"] == "color=red&token=[Filtered]"
    assert found["url.full"] == "http://shop.example/items/7?color=red&token=[Filtered]"
    assert found["url.path"] == "/items/7"


def test_every_span_and_log_says_what_sentrys_filters_go_by(start, mode):
    """Relay filters crawlers, old browsers and local requests by the attributes of each item."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asgi_sentry.trace_function(name="child")(lambda: None)()
        sentry_sdk.logger.info("here")

    transport = start(enable_logs=True)
    call(asgi_sentry.HeaderScrubbingMiddleware(app), headers=HEADERS, scope={"client": ("127.0.0.1", 1)})
    entries = told(transport, "log") + told(transport, "span")
    assert len(entries) == (1 if mode == "classic" else 3)
    for entry in entries:
        assert entry["user_agent.original"] == "Shop/1.0"
        assert entry["sentry.is_localhost"] is True


@pytest.mark.parametrize(
    ("client", "server", "headers", "local"),
    [
        ("127.0.0.1", "example.com", {"host": "example.com"}, True),
        ("::1", "example.com", {"host": "example.com"}, True),
        ("172.17.0.1", "example.com", {"host": "localhost:8000"}, True),  # a container's host
        ("172.17.0.1", "example.com", {"host": "[::1]:8000"}, True),
        ("172.17.0.1", "localhost", {}, True),
        ("172.17.0.1", "localhost", {"host": "example.com"}, False),
        ("172.17.0.1", "example.com", {"host": "shop.localhost"}, True),
        ("172.17.0.1", "example.com", {"host": "localhost.example.com"}, False),
        (None, None, {"host": "localhost"}, True),
        # A stranger's word about the host filters nothing out.
        ("8.8.8.8", "example.com", {"host": "localhost"}, False),
        # A proxy beside the app is no client.
        ("127.0.0.1", "example.com", {"host": "localhost", "x-forwarded-for": "8.8.8.8"}, False),
        ("127.0.0.1", "example.com", {"forwarded": "for=8.8.8.8"}, False),
        ("/run/app.sock", None, {"host": "example.com"}, False),
        ("", None, {}, False),
    ],
)
def test_what_is_local(client, server, headers, local):
    scope = {
        "client": None if client is None else (client, 1),
        "server": None if server is None else (server, 80),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    assert is_local(scope) is local
