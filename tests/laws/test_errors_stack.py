"""Errors as a stack does it: which are sent, what they are grouped by, how many, and what sessions make of them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
from collections import Counter
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from litestar import Litestar, post, websocket
from litestar import Request as LitestarRequest
from litestar import WebSocket as LitestarWebSocket
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_sentry import ErrorPolicyMiddleware, SentryMiddleware
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.error_policy import ErrorPolicy
from asgi_sentry._request.plan import ErrorRules, Plan
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.strategies import Clock


async def _call(app: Any, path: str, **more: Any) -> None:
    try:
        await request(app, path=path, **more)
    except (RuntimeError, ValueError, KeyError):
        """The app's own."""


def call(app: Any, path: str = "/", **more: Any) -> None:
    anyio.run(partial(_call, app, path, **more))


def kinds(transport: RecordingTransport) -> list[str]:
    return [event["exception"]["values"][-1]["type"] for event in transport.items("event")]


def lost(transport: RecordingTransport) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for reason, category, quantity in transport.lost:
        counted[reason, category] += quantity
    return counted


def sessions(transport: RecordingTransport) -> dict[str, int]:
    client = sentry_sdk.get_client()
    client.session_flusher.flush()
    counted: Counter[str] = Counter()
    for payload in transport.items("sessions"):
        for aggregate in payload["aggregates"]:
            counted.update({key: n for key, n in aggregate.items() if isinstance(n, int)})
    return dict(counted)


def raising(exc: BaseException) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise type(exc)(*exc.args)  # a new one each time: a traceback grows with each raise

    return app


# -- what is not an error ----------------------------------------------------------------------------------------------

IGNORED: dict[str, tuple[dict[str, Any], str]] = {
    "by class": ({"ignore": (RuntimeError,)}, "/boom"),
    "by base class": ({"ignore": (Exception,)}, "/boom"),
    "by name": ({"ignore": ("RuntimeError",)}, "/boom"),
    "by status, handled": ({"ignore_statuses": (503,)}, "/teapot"),
    "by status, raised": ({"ignore_statuses": ("5xx",)}, "/boom"),
    "by path": ({"ignore_paths": ("/bo*",)}, "/boom"),
}


@pytest.mark.parametrize("place", ["outermost", "innermost", "hidden"])
@pytest.mark.parametrize("rule", IGNORED)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_what_is_ignored_is_not_sent_and_crashes_no_session(start, mode, framework, rule, place):
    arguments, path = IGNORED[rule]
    transport = start()
    layer = partial(ErrorPolicyMiddleware, **arguments)
    app = apps.FRAMEWORKS[framework]()
    app = {
        "outermost": lambda: layer(SentryMiddleware(app)),
        "innermost": lambda: SentryMiddleware(layer(app)),
        "hidden": lambda: SentryMiddleware(apps.hiding(layer(app))),
    }[place]()
    call(app, path)
    assert transport.items("event") == []
    assert lost(transport)["event_processor", "error"] == 1
    assert sessions(transport) == {"exited": 1}
    call(app, "/caused")  # a ValueError
    if rule not in {"by base class", "by status, raised"}:
        assert kinds(transport) == ["ValueError"]
        assert set(sessions(transport)) == {"exited", "crashed"}


@pytest.mark.parametrize("path", ["/logged", "/logged-in-thread", "/logged-in-worker"])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_an_ignored_exception_is_not_sent_when_it_is_logged_either(start, mode, framework, path):
    transport = start()
    app = ErrorPolicyMiddleware(apps.FRAMEWORKS[framework](), ignore=(RuntimeError,))

    async def serve() -> None:
        try:
            await request(app, path=path)
        except RuntimeError as exc:
            logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=exc)

    anyio.run(serve)
    assert transport.items("event") == []


def test_rules_by_path_are_those_of_where_their_layer_stands(start, mode):
    """A mount writes its own root path into the scope, and by the end of a request it is there."""

    def fail(_: Any) -> None:
        raise RuntimeError("boom")

    inner = Starlette(routes=[Route("/items/{id}", fail)])

    def around(layer: Any) -> Any:
        return layer(Starlette(routes=[Mount("/sub", app=inner)]))

    def within(layer: Any) -> Any:
        return SentryMiddleware(Starlette(routes=[Mount("/sub", app=layer(inner))]))

    def alone(layer: Any) -> Any:
        return Starlette(routes=[Mount("/sub", app=layer(inner))])

    for build, rule, scope, sends in [
        (around, "/sub/items/*", {}, 0),
        (around, "/items/*", {}, 1),
        (around, "/sub/items/*", {"root_path": "/api"}, 0),
        (within, "/items/*", {}, 0),
        (within, "/sub/items/*", {}, 1),
        (alone, "/items/*", {}, 0),
        (alone, "/sub/items/*", {}, 1),
    ]:
        transport = start()
        app = build(partial(ErrorPolicyMiddleware, ignore_paths=(rule,)))
        call(app, scope.get("root_path", "") + "/sub/items/1", scope=scope)
        assert len(transport.items("event")) == sends, (build.__name__, rule, scope)


# -- disconnects -------------------------------------------------------------------------------------------------------


async def starlette_body(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("")


async def starlette_talk(socket: Any) -> None:
    await socket.accept()
    await socket.receive_text()


@post("/body")
async def litestar_body(request: LitestarRequest[Any, Any, Any]) -> None:
    await request.body()


@websocket("/talk")
async def litestar_talk(socket: LitestarWebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.receive_text()


def starlette() -> Any:
    return Starlette(routes=[Route("/body", starlette_body, methods=["POST"]), WebSocketRoute("/talk", starlette_talk)])


def litestar() -> Any:
    return Litestar([litestar_body, litestar_talk], openapi_config=None)


async def hang_up(app: Any, path: str) -> None:
    """A client that sends half of a body and goes."""
    incoming = iter([{"type": "http.request", "body": b"half", "more_body": True}])
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
    }

    async def receive() -> Any:
        return next(incoming, {"type": "http.disconnect"})

    async def send(_: Any) -> None:
        """Nobody is there."""

    await app(scope, receive, send)


GONE: dict[str, tuple[Any, Any, str]] = {
    "starlette, in a body": (starlette, hang_up, "/body"),
    "litestar, in a body": (litestar, hang_up, "/body"),
    "starlette, in a websocket": (starlette, apps.converse, "/talk"),
    "litestar, in a websocket": (litestar, apps.converse, "/talk"),
}


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("gone", GONE)
def test_a_client_that_goes_away_is_no_error_unless_wanted(start, mode, gone, wanted):
    build, leave, path = GONE[gone]
    transport = start()
    app = ErrorPolicyMiddleware(build(), disconnects=wanted)

    async def serve() -> None:
        with contextlib.suppress(ClientDisconnect):
            await leave(app, path)

    anyio.run(serve)
    found = kinds(transport)
    if gone == "litestar, in a websocket":
        assert found == []  # it closes the connection by itself, as one does after a client that went
    else:
        assert len(found) == wanted, found
    if not wanted:
        assert "crashed" not in sessions(transport)


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_request_is_no_error_unless_wanted(start, mode, backend, wanted):
    transport = start()
    app = ErrorPolicyMiddleware(lambda scope, receive, send: anyio.sleep_forever(), disconnects=wanted)

    async def serve() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(_call, app, "/"))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    anyio.run(serve, backend=backend)
    assert kinds(transport) == (["CancelledError" if backend == "asyncio" else "Cancelled"] if wanted else [])


@pytest.mark.parametrize("exc", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_a_signal_is_no_error_even_if_disconnects_are(start, mode, exc):
    transport = start()
    app = ErrorPolicyMiddleware(raising(exc), disconnects=True)
    coroutine = request(app)
    with pytest.raises(type(exc)):
        coroutine.send(None)
    assert transport.items("event") == []


def test_without_the_layer_a_cancelled_request_is_no_error(start, mode):
    transport = start()
    coroutine = request(SentryMiddleware(raising(asyncio.CancelledError())))
    with pytest.raises(asyncio.CancelledError):
        coroutine.send(None)
    assert transport.items("event") == []


@pytest.mark.parametrize("exc", [ConnectionResetError("db"), BrokenPipeError("db"), OSError("db"), TimeoutError("db")])
def test_a_broken_connection_of_the_apps_own_is_an_error(start, mode, exc):
    transport = start()

    async def serve() -> None:
        with pytest.raises(OSError, match="db"):
            await request(ErrorPolicyMiddleware(raising(exc)))

    anyio.run(serve)
    assert len(kinds(transport)) == 1


# -- fingerprints and their limit ------------------------------------------------------------------------------------


def test_fingerprints_by_rule_and_by_before_send(start, mode):
    rules = {
        "ValueError": ["values", "{{ default }}"],
        RuntimeError: lambda exc: ["runtime", str(exc)],
        KeyError: lambda exc: 1 / 0,
    }
    transport = start()
    for exc in (ValueError("x"), RuntimeError("y"), KeyError("z")):
        call(ErrorPolicyMiddleware(raising(exc), fingerprints=rules))
    found = [event.get("fingerprint") for event in transport.items("event")]
    assert found == [["values", "{{ default }}"], ["runtime", "y"], None]
    transport = start(before_send=lambda event, hint: {**event, "fingerprint": ["mine"]})
    call(ErrorPolicyMiddleware(raising(ValueError("x")), fingerprints=rules))
    assert [event["fingerprint"] for event in transport.items("event")] == [["mine"]]


def limited(app: Any, clock: Clock, limit: str, budget: Any = None, **rules: Any) -> Any:
    policy = ErrorPolicy(per_fingerprint=limit, clock=clock, **rules)
    return Layer(app, Plan(errors=(ErrorRules(policy=policy, budget=budget),)))


HOOKS: dict[str, Any] = {
    "in place": lambda event, hint: event.update(fingerprint=["by hook"]) or event,
    "as a copy": lambda event, hint: {**event, "fingerprint": ["by hook"]},
    "as a deep copy": lambda event, hint: {**copy.deepcopy(event), "fingerprint": ["by hook"]},
    "through JSON": lambda event, hint: {**json.loads(json.dumps(event)), "fingerprint": ["by hook"]},
    "anew": lambda event, hint: {
        "exception": event["exception"],
        "fingerprint": ["by hook"],
        "event_id": "f" * 32,
        "timestamp": "2026-01-01T00:00:00Z",
    },
}


@pytest.mark.parametrize("hook", [None, *HOOKS])
def test_the_same_fingerprint_is_sent_so_often_and_the_next_says_how_many_were_not(start, mode, hook):
    transport = start(**({} if hook is None else {"before_send": HOOKS[hook]}))
    clock = Clock()
    app = limited(raising(RuntimeError("boom")), clock, "2/minute", fingerprints={RuntimeError: ["by rule"]})
    for _ in range(44):
        call_now(app)
    assert len(transport.items("event")) == 2
    assert lost(transport)["event_processor", "error"] == 42
    clock.now = 61.0
    call_now(app)
    *_, last = transport.items("event")
    assert last["fingerprint"] == ["by rule" if hook is None else "by hook"]
    assert last["extra"]["suppressed"] == 42
    assert all("suppressed" not in event.get("extra", {}) for event in transport.items("event")[:-1])


def call_now(app: Any) -> None:
    """A request to an app that never waits, without an event loop, which would cost most of the time."""
    with pytest.raises(RuntimeError):
        request(app).send(None)


def test_hooks_tell_apart_what_the_rule_did_not(start, mode):
    transport = start(before_send=lambda event, hint: {**event, "fingerprint": [str(hint["exc_info"][1])]})
    app: Any = None
    clock = Clock()
    failing = {"with": ""}

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(failing["with"])

    app = limited(fail, clock, "1/minute")
    for text in ("a", "b", "a", "b", "c"):
        failing["with"] = text
        call_now(app)
    assert [event["fingerprint"] for event in transport.items("event")] == [["a"], ["b"], ["c"]]


def test_with_a_plain_start_the_limit_holds_too(start_plain, mode):
    transport = start_plain()
    app = limited(raising(RuntimeError("boom")), Clock(), "2/minute")
    for _ in range(5):
        call_now(app)
    assert len(transport.items("event")) == 2


def test_what_the_budget_holds_back_is_still_told_by_the_next(start, mode):
    """The kind's limit let one through, and with it the number of those before; then the budget did not."""

    class Closed:
        open = True

        def take(self, *, ordinary: bool) -> bool:
            return self.open

    transport = start()
    clock, budget = Clock(), Closed()
    app = limited(raising(RuntimeError("boom")), clock, "1/minute", budget=budget)
    for _ in range(4):
        call_now(app)  # one is sent
    clock.now, budget.open = 61.0, False
    call_now(app)  # not sent
    clock.now, budget.open = 122.0, True
    call_now(app)
    assert [event.get("extra", {}).get("suppressed") for event in transport.items("event")] == [None, 4]


def test_an_error_over_the_limit_still_crashes_its_session(start, mode):
    """It happened, whoever hears of it."""
    transport = start()
    app = limited(raising(RuntimeError("boom")), Clock(), "1/minute")
    for _ in range(3):
        call_now(app)
    assert sessions(transport) == {"crashed": 3}
