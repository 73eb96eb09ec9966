"""Websockets: when their transaction is sent, what it says, and that errors are reported in each mode."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi import WebSocket as FastAPIWebSocket
from litestar import Litestar, WebSocket, websocket
from litestar.exceptions import NotAuthorizedException
from litestar.exceptions import WebSocketException as LitestarWebSocketException
from starlette.applications import Starlette
from starlette.exceptions import HTTPException, WebSocketException
from starlette.routing import WebSocketRoute

import asgi_sentry
from tests import apps
from tests.conftest import transactions
from tests.outcomes import errors, sessions

MODES = ["handshake", "lifetime", "off"]


def stack(app: Any, websockets: str) -> Any:
    return asgi_sentry.compose(
        app, partial(asgi_sentry.SentryMiddleware, websockets=websockets), asgi_sentry.UserContextMiddleware
    )


def status_seen(roots: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(root["name"], root["status"]) for root in roots]


@pytest.mark.parametrize("websockets", MODES)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_a_conversation_is_one_transaction_or_none(start, mode, framework, websockets):
    transport = start()
    app = stack(apps.FRAMEWORKS[framework](), websockets)
    talked = anyio.run(apps.converse, app, "/ws/talk", "hello")
    assert (talked.kinds, talked.raised) == (["accept", "send", "close"], None)
    assert status_seen(transactions(transport)) == ([] if websockets == "off" else [("WS /ws/talk", 101)])
    assert errors(transport) == []


@pytest.mark.parametrize("websockets", MODES)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_a_refusal_is_no_error(start, mode, framework, websockets):
    transport = start()
    app = stack(apps.FRAMEWORKS[framework](), websockets)
    refused = anyio.run(apps.converse, app, "/ws/refuse")
    assert (refused.kinds, refused.raised) == (["close"], None)
    assert status_seen(transactions(transport)) == ([] if websockets == "off" else [("WS /ws/refuse", 403)])
    assert errors(transport) == []


@pytest.mark.parametrize("websockets", MODES)
@pytest.mark.parametrize("path", ["/ws/boom-before", "/ws/boom-after"])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_an_error_is_reported_once_in_each_mode(start, mode, framework, path, websockets):
    transport = start()
    app = stack(apps.FRAMEWORKS[framework](), websockets)
    talked = anyio.run(apps.converse, app, path, "hello")
    # Litestar answers it by closing, and the others leave that to the server.
    assert (talked.raised is None) == (framework == "litestar")
    assert errors(transport) == [(("RuntimeError",), False)]
    roots = transactions(transport)
    if websockets == "off":
        assert roots == []
    elif path == "/ws/boom-after":
        assert status_seen(roots) == [(f"WS {path}", 101)]
    else:
        assert status_seen(roots) == [(f"WS {path}", 403 if framework == "litestar" else 500)]


@pytest.mark.parametrize(("websockets", "sent_by"), [("handshake", "accept"), ("lifetime", "close"), ("off", None)])
def test_when_the_transaction_is_sent(start, mode, websockets, sent_by):
    transport = start()
    seen = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for kind in ("accept", "close"):
            await send({"type": f"websocket.{kind}"})
            seen[kind] = len(transactions(transport))

    anyio.run(apps.converse, stack(app, websockets), "/ws")
    assert seen == {
        "accept": int(sent_by == "accept"),
        "close": int(sent_by == "accept"),  # a lifetime ends with the app's return
    }
    assert len(transactions(transport)) == int(sent_by is not None)


@pytest.mark.parametrize("websockets", MODES)
def test_what_comes_after_the_handshake_belongs_to_its_trace(start, mode, websockets):
    """And to its user; and child spans of a transaction that was sent start none of their own."""
    transport = start()
    spans = asgi_sentry.trace_function(lambda: None)

    def work(_: Any) -> None:
        asgi_sentry.set_user_context(7)
        spans()
        asgi_sentry.capture_message("later")

    trace = "0123456789abcdef0123456789abcdef"
    headers = [("sentry-trace", f"{trace}-0123456789abcdef-1")]
    app = stack(apps.starlette_app(work=work), websockets)
    anyio.run(partial(apps.converse, app, "/ws/talk", "hello", headers=headers))
    (event,) = transport.items("event")
    assert event["contexts"]["trace"]["trace_id"] == trace
    assert event["user"] == {"id": "7"}
    assert event["transaction"] == "WS /ws/talk"
    roots = transactions(transport)
    assert [root["trace_id"] for root in roots] == [trace] * (websockets != "off")
    if websockets == "lifetime":
        assert len(roots[0]["spans"]) == 1


@pytest.mark.parametrize("websockets", MODES)
def test_a_websocket_is_one_session_unless_it_is_off(start, mode, websockets):
    transport = start()
    app = stack(apps.starlette_app(), websockets)
    for path in ("/ws/talk", "/ws/boom-after"):
        anyio.run(apps.converse, app, path, "hello")
    assert sessions(transport) == ({} if websockets == "off" else {"exited": 1, "crashed": 1})


# -- closing codes -----------------------------------------------------------------------------------------------------

REPORTED = {1011: "", 1013: "", 4500: "", 4503: ""}
OURS_NOT = (1000, 1001, 1008, 3000, 4401, 4403, 4999)


@pytest.mark.parametrize("code", [*REPORTED, *OURS_NOT])
@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_only_a_servers_fault_is_an_error(start, mode, framework, accepted, code):
    """An app refuses by an exception too, and means it: FastAPI's documentation does so for authentication."""
    kind: Any = LitestarWebSocketException if framework == "litestar" else WebSocketException

    async def serve(socket: Any) -> None:
        if accepted:
            await socket.accept()
        raise kind(code=code, **({"detail": "no"} if framework == "litestar" else {"reason": "no"}))

    transport = start()
    anyio.run(apps.converse, asgi_sentry.wrap(_socket_app(framework, serve)), "/ws")
    reported = [((("WebSocketException",), True))] if code in REPORTED else []
    assert errors(transport) == reported


def _socket_app(framework: str, serve: Any) -> Any:
    if framework == "litestar":

        @websocket("/ws")
        async def litestar_socket(socket: WebSocket[Any, Any, Any]) -> None:
            await serve(socket)

        return Litestar([litestar_socket], openapi_config=None)
    if framework == "starlette":
        return Starlette(routes=[WebSocketRoute("/ws", serve)])
    app = FastAPI()

    async def fastapi_socket(websocket: FastAPIWebSocket) -> None:
        await serve(websocket)

    app.add_api_websocket_route("/ws", fastapi_socket)
    return app


def test_litestars_http_exceptions_close_a_websocket_alike_and_are_told_apart(start, mode):
    async def refuse(_: Any) -> None:
        raise NotAuthorizedException

    transport = start()
    anyio.run(apps.converse, asgi_sentry.wrap(_socket_app("litestar", refuse)), "/ws")
    assert errors(transport) == []


class RateLimited(Exception):
    status_code = 429


def test_a_status_that_an_exception_of_an_api_has_is_no_answer_of_ours(start, mode):
    async def ask(socket: Any) -> None:
        await socket.accept()
        raise RateLimited

    transport = start()
    anyio.run(apps.converse, asgi_sentry.wrap(_socket_app("litestar", ask)), "/ws")
    assert errors(transport) == [(("RateLimited",), False)]


@pytest.mark.parametrize(("status", "reported"), [(401, []), (503, [(("HTTPException",), True)])])
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_a_refusal_with_a_response(start, mode, framework, status, reported):
    """The websocket denial response, an extension of ASGI."""

    async def refuse(_: Any) -> None:
        raise HTTPException(status)

    transport = start()
    app = asgi_sentry.wrap(_socket_app(framework, refuse))
    talked = anyio.run(partial(apps.converse, app, "/ws", extensions={"websocket.http.response": {}}))
    assert talked.kinds == ["http.response.start", "http.response.body"]
    assert errors(transport) == reported
    assert status_seen(transactions(transport)) == [("WS /ws", status)]


def test_two_sockets_at_once_keep_their_users(start, mode):
    transport = start()
    both = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name = scope["query_string"].decode()
        await send({"type": "websocket.accept"})
        asgi_sentry.set_user_context(name)
        both[name].set()
        for each in both.values():
            await each.wait()
        asgi_sentry.capture_message(name)
        await send({"type": "websocket.close"})

    async def talk() -> None:
        wrapped = stack(app, "lifetime")
        both.update(a=anyio.Event(), b=anyio.Event())
        async with anyio.create_task_group() as group:
            for name in both:
                group.start_soon(partial(apps.converse, wrapped, "/ws", query=name.encode()))

    anyio.run(talk)
    assert {event["message"]: event["user"]["id"] for event in transport.items("event")} == {"a": "a", "b": "b"}
