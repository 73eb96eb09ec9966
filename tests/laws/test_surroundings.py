"""Laws 1 and 9: an app finds its surroundings as without us, and nothing odd about a request hides its errors."""

from __future__ import annotations

import copy
import json
import pickle
from functools import partial
from types import MappingProxyType
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.responses import PlainTextResponse

import asgi_sentry
from asgi_sentry import (
    BodyScrubbingMiddleware,
    ErrorPolicyMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    compose,
    wrap,
)
from asgi_sentry.testing import request
from tests.conftest import Start, transactions

LAYERS = (
    SentryMiddleware,
    TransactionFilterMiddleware,
    PathSamplingMiddleware,
    ErrorPolicyMiddleware,
    UserContextMiddleware,
    HeaderScrubbingMiddleware,
    BodyScrubbingMiddleware,
)
SECRET = "qJ8x2LmV5tRw9ZbK3nYc"


def hide(app: Any) -> Any:
    """A middleware that a layer can't look through."""

    async def hidden(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return hidden


STACKS = [wrap, lambda app: compose(app, *LAYERS[:3], hide, *LAYERS[3:]), lambda app: wrap(hide(wrap(app)))]


def ask(app: Any, **arguments: Any) -> Any:
    return anyio.run(partial(request, app, **arguments))


async def answer(send: Any, body: bytes = b"answer", status: Any = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


# -- apps that are classes ---------------------------------------------------------------------------------------------


class Endpoint(HTTPEndpoint):
    async def get(self, request: Any) -> PlainTextResponse:
        return PlainTextResponse("of an instance")


class Socket(WebSocketEndpoint):
    encoding = "text"

    async def on_receive(self, websocket: Any, data: Any) -> None:
        await websocket.send_text(data)


class Awaited:
    """A class whose instances are awaited, written by hand."""

    app = None  # as a class may have one for a reason of its own

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.send = send

    def __await__(self) -> Any:
        return answer(self.send, b"of an instance").__await__()


@pytest.mark.parametrize("layer", [wrap, compose, *LAYERS], ids=lambda layer: layer.__name__)
@pytest.mark.parametrize("app", [Endpoint, Awaited])
def test_a_class_whose_instances_are_awaited_is_an_app(start: Start, layer: Any, app: Any) -> None:
    transport = start()
    assert ask(layer(app)).body == b"of an instance"
    assert len(transactions(transport)) == (layer is not compose)


def test_a_websocket_endpoint_is_an_app(start: Start) -> None:
    transport = start()
    sent: list[Any] = []
    messages = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "hello"},
            {"type": "websocket.disconnect", "code": 1000},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        await wrap(Socket)({"type": "websocket", "path": "/ws", "headers": []}, receive, send)

    anyio.run(main)
    assert [message.get("text") for message in sent] == [None, "hello"]
    assert len(transactions(transport)) == 1


class Unfinished:
    """A class that was meant to be called first, as a framework's is."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...


@pytest.mark.parametrize("layer", [wrap, compose, *LAYERS], ids=lambda layer: layer.__name__)
def test_a_class_whose_instances_are_apps_is_still_refused(layer: Any) -> None:
    with pytest.raises(TypeError, match="the class Unfinished"):
        layer(Unfinished)


# -- the scope ---------------------------------------------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda scope: pickle.loads(pickle.dumps(scope)),
    "json": lambda scope: json.loads(json.dumps(scope, default=str)),
    "repr": repr,
}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("how", COPIES)
def test_a_scope_can_be_copied(start: Start, stack: Any, how: str) -> None:
    start()
    copies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        copies.append(COPIES[how](scope))
        await answer(send)

    assert ask(stack(app)).body == b"answer"
    assert len(copies) == 1


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copied_scope_is_a_request_of_its_own_once_the_first_is_over(start: Start, how: str) -> None:
    transport = start()
    copies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        copies.append(COPIES[how](scope))
        await answer(send)

    stack = wrap(app)
    ask(stack)
    scope = copies.pop()

    async def replay() -> None:
        async def send(message: Any) -> None: ...

        await stack(scope, None, send)

    anyio.run(replay)
    assert len(transactions(transport)) == 2


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("theirs", ["a text", 7, object(), {"closed": True}], ids=lambda value: type(value).__name__)
def test_what_others_put_under_our_key_stays_theirs(start: Start, stack: Any, theirs: Any) -> None:
    transport = start()
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["asgi_sentry"])
        await answer(send)
        raise RuntimeError("boom")

    scope = {"asgi_sentry": theirs}
    with pytest.raises(RuntimeError, match="boom"):
        ask(stack(app), scope=scope)
    assert seen == [theirs]
    assert len(transport.items("event")) == 1
    assert len(transactions(transport)) == 1


@pytest.mark.parametrize("stack", STACKS)
def test_a_scope_that_cannot_be_written_to_is_one_request(start: Start, stack: Any) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("boom")

    async def main() -> None:
        scope: Any = MappingProxyType({"type": "http", "method": "GET", "path": "/", "headers": []})
        await stack(app)(scope, None, None)

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(main)
    assert len(transport.items("event")) == 1
    assert len(transactions(transport)) == 1


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("taken", ["in a loop", "one by one"])
def test_headers_that_can_be_read_once_are_the_apps(start: Start, stack: Any, taken: str) -> None:
    transport = start()
    headers = [(b"host", b"shop"), (b"authorization", f"Bearer {SECRET}".encode()), (b"x-note", b"n")]
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if taken == "in a loop":
            seen.extend(scope["headers"])
        else:
            seen.extend(next(scope["headers"]) for _ in headers)
            with pytest.raises(StopIteration):
                next(scope["headers"])
        raise RuntimeError(f"refused: {SECRET}")

    with pytest.raises(RuntimeError, match="refused"):
        ask(stack(app), scope={"headers": iter(headers)})
    assert seen == headers
    (event,) = transport.items("event")
    assert event["request"]["headers"]["x-note"] == "n"
    assert SECRET not in json.dumps(event)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    "missing", ["headers", "path", "method", "query_string", "root_path", "scheme", "server", "client", "asgi"]
)
def test_a_scope_without_a_key_is_the_apps_to_judge(start: Start, stack: Any, missing: str) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert missing not in scope
        await answer(send)
        raise RuntimeError("boom")

    async def main() -> None:
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/p", "query_string": b"a=b", "headers": []}
        scope |= {"root_path": "", "scheme": "http", "server": ("h", 80), "client": ("c", 1), "asgi": {}}
        del scope[missing]
        await stack(app)(scope, None, lambda message: anyio.lowlevel.checkpoint())

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(main)
    assert len(transport.items("event")) == 1
    assert len(transactions(transport)) == 1


ODD_STATUSES = ["500", "teapot", None, b"500", 500.0, object(), [], float("nan"), float("inf"), 10**400, -1, True]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("status", ODD_STATUSES, ids=lambda status: f"{type(status).__name__}-{str(status)[:8]}")
def test_a_status_that_is_no_number_hides_no_error(start: Start, stack: Any, status: Any) -> None:
    transport = start()
    sent = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, status=status)
        raise RuntimeError("boom")

    async def main() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/p", "headers": []}
        await stack(app)(scope, None, send)

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(main)
    assert sent[0]["status"] is status
    assert len(transport.items("event")) == 1
    assert len(transactions(transport)) == 1


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("message", [{"type": "http.response.start"}, {}, {"type": None}, {"type": []}], ids=str)
def test_a_message_that_lacks_something_hides_no_error(start: Start, stack: Any, message: Any) -> None:
    transport = start()
    sent = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(message)
        raise RuntimeError("boom")

    async def main() -> None:
        async def send(each: Any) -> None:
            sent.append(each)

        await stack(app)({"type": "http", "method": "GET", "path": "/p", "headers": []}, None, send)

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(main)
    assert sent == [message]
    assert len(transport.items("event")) == 1


# -- what comes in with the trace --------------------------------------------------------------------------------------

TRACE = "a" * 32 + "-" + "b" * 16
BAGGAGE = [
    *("sentry-sample_rate=1e999", "sentry-sample_rate=-inf", "sentry-sample_rate=nan", "sentry-sample_rate=1e-999"),
    *("sentry-sample_rate=2", "sentry-sample_rate=", "sentry-sample_rate=%", "sentry-sample_rand=1e999"),
    *("sentry-sample_rand=nan", "sentry-sample_rand=-1", "sentry-sample_rand=1,sentry-sample_rate=0"),
    *("sentry-", "sentry-=", "=", ",,,", "sentry-trace_id=%ff%00", "sentry-sampled=perhaps", "\x00\xff=\xff"),
    *("sentry-org_id=" + "9" * 5000, "sentry-sample_rate=" + "9" * 5000, "sentry-sample_rate=1_0", "a;b;c"),
]


@pytest.mark.parametrize("flag", ["-1", "-0", ""])
@pytest.mark.parametrize("baggage", BAGGAGE, ids=lambda text: text[:30])
def test_no_baggage_blinds_us(start: Start, baggage: str, flag: str) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        import sentry_sdk

        assert sentry_sdk.get_traceparent()
        sentry_sdk.get_baggage()
        list(sentry_sdk.get_current_scope().iter_trace_propagation_headers())
        raise RuntimeError("boom")

    headers = [("sentry-trace", TRACE + flag), ("baggage", baggage.encode("latin-1"))]
    for rates in ({}, {"/p": 0.5}, {"/p": 0.0}):
        transport.clear()
        stack = compose(app, SentryMiddleware, partial(PathSamplingMiddleware, rates=rates), HeaderScrubbingMiddleware)
        with pytest.raises(RuntimeError, match="boom"):
            ask(stack, path="/p", headers=headers)
        (event,) = transport.items("event")
        assert event["contexts"]["trace"]["trace_id"] == "a" * 32


@pytest.mark.parametrize("method", ["_decide", "_start"])
@pytest.mark.parametrize("faults", [1, 2])
def test_a_fault_while_a_request_is_opened_hides_no_error(
    start: Start, monkeypatch: pytest.MonkeyPatch, method: str, faults: int
) -> None:
    from asgi_sentry._request.record import RequestRecord

    transport = start()
    right = getattr(RequestRecord, method)
    left = [ZeroDivisionError] * faults

    def faulty(self: Any) -> Any:
        if left:
            raise left.pop()
        return right(self)

    monkeypatch.setattr(RequestRecord, method, faulty)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asgi_sentry.set_user_context(7)
        raise RuntimeError(f"refused: {SECRET}")

    with pytest.raises(RuntimeError, match="refused"):
        ask(wrap(app), headers=[("authorization", f"Bearer {SECRET}"), ("sentry-trace", TRACE)])
    (event,) = transport.items("event")
    assert event["user"] == {"id": "7"}
    assert SECRET not in json.dumps(event)
    assert len(transactions(transport)) == 2 - faults


def test_headers_that_are_no_pairs_hide_no_error(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("boom")

    for headers in ([b"host"], [(b"a",)], [(b"a", b"b", b"c")], [("host", "text")], [None], 7, [(1, 2)]):
        transport.clear()
        with pytest.raises(RuntimeError, match="boom"):
            ask(wrap(app), scope={"headers": headers})
        assert len(transport.items("event")) == 1, headers


def test_layers_behind_a_middleware_that_copies_the_scope_deeply(start: Start) -> None:
    transport = start()

    class Copying:
        def __init__(self, app: Any) -> None:
            self.inner = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.inner(copy.deepcopy(scope), receive, send)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        ask(compose(app, *LAYERS[:3], Copying, *LAYERS[3:]))
    assert len(transport.items("event")) == 1
    assert len(transactions(transport)) == 1
