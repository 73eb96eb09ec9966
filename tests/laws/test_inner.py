"""Law 3: what is mounted within ours, and reports to the SDK itself, makes no transaction beside ours.

One request is one transaction at most, whichever of the SDK's integrations are on; filter, rate and budget hold; and
the spans of what runs below stand in ours.
"""

from __future__ import annotations

import asyncio
import warnings
from functools import partial
from typing import Any

import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, V3, transactions

pytestmark = pytest.mark.filterwarnings("ignore:The `unsampled_statuses` option")  # of the integration for Sanic

TOKEN = "qZ81mm20aaXkP7vW"
traced = asgi_sentry.trace_function(name="below")(lambda: None)


def flask_app() -> Any:
    flask = pytest.importorskip("flask")
    app = flask.Flask("shop")

    def page() -> str:
        traced()
        return "answer"

    def boom() -> None:
        raise RuntimeError("boom " + flask.request.headers["authorization"])

    for path in ("/page", "/health", "/busy"):
        app.add_url_rule(path, path.strip("/"), page)
    app.add_url_rule("/boom", "boom", boom)
    return app


def by_a2wsgi() -> Any:
    return answering_lifespan(pytest.importorskip("a2wsgi").WSGIMiddleware(flask_app()))


def by_asgiref() -> Any:
    return answering_lifespan(pytest.importorskip("asgiref.wsgi").WsgiToAsgi(flask_app()))


def by_starlette() -> Any:
    from starlette.applications import Starlette

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and used
        from starlette.middleware.wsgi import WSGIMiddleware

    app = Starlette()
    app.mount("/", WSGIMiddleware(flask_app()))
    return app


def by_fastapi() -> Any:
    from fastapi import FastAPI

    app = FastAPI()
    app.mount("/", by_a2wsgi())
    return app


def by_sanic() -> Any:
    sanic = pytest.importorskip("sanic")
    from sanic.response import text

    sanic.Sanic._app_registry.clear()
    app = sanic.Sanic("shop_within")  # the process knows each by its name
    app.config.TOUCHUP = False  # it writes its own methods anew, which can be done once a process

    async def page(_: Any) -> Any:
        traced()
        return text("answer")

    async def boom(asked: Any) -> None:
        raise RuntimeError("boom " + asked.headers["authorization"])

    for path in ("/page", "/health", "/busy"):
        app.add_route(page, path, name=path.strip("/"))
    app.add_route(boom, "/boom")
    return app


def by_an_integration() -> Any:
    """What any integration does that serves requests."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name, op, origin = scope["path"], "http.server", "auto.http.any"
        with sentry_sdk.isolation_scope():
            if V3 or sentry_sdk.get_client().options.get("trace_lifecycle") == "stream":
                sentry_sdk.traces.continue_trace({})
                attributes = {"sentry.op": op, "sentry.origin": origin}
                started = sentry_sdk.traces.start_span(name, attributes=attributes, parent_span=None)
            else:
                started = sentry_sdk.start_transaction(
                    sentry_sdk.continue_trace({}, op=op, name=name, source="url", origin=origin)
                )
            with started:
                traced()
                if name == "/boom":
                    raise RuntimeError("boom")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})

    return answering_lifespan(app)


MOUNTED = [by_a2wsgi, by_asgiref, by_starlette, by_fastapi, by_sanic, by_an_integration]
EVERY = pytest.mark.parametrize("mounted", MOUNTED, ids=lambda mounted: mounted.__name__)


async def serve(app: Any, *paths: str) -> list[Any]:
    """What comes of requests, during a lifespan, which Sanic wants."""
    life = await started(app)
    answers = []
    for path in paths:
        try:
            answers.append(await request(app, path=path, headers=[("host", "h"), ("authorization", f"Bearer {TOKEN}")]))
        except Exception as exc:
            answers.append(exc)
    life.cancel()
    return answers


async def started(app: Any) -> Any:
    """The lifespan of an app, which has started."""
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked.put_nowait({"type": "lifespan.startup"})
    life = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, told.put))
    startup = asyncio.ensure_future(told.get())
    await asyncio.wait([life, startup], return_when=asyncio.FIRST_COMPLETED)
    startup.cancel()
    return life


def answering_lifespan(app: Any) -> Any:
    """Adapters of WSGI apps have none: they raise."""

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            await app(scope, receive, send)

    both.app = app  # type: ignore[attr-defined]
    return both


def begun(start: Any, **settings: Any) -> RecordingTransport:
    return start(asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0, **settings))


@EVERY
def test_one_request_is_one_transaction(start, mode, mounted):
    transport = begun(start)
    answers = asyncio.run(serve(asgi_sentry.wrap(mounted()), "/page", "/page"))
    assert [answer.body for answer in answers] == [b"answer"] * 2
    roots = transactions(transport)
    assert len(roots) == 2
    assert len({root["trace_id"] for root in roots}) == 2
    assert [root["status"] for root in roots] == [200, 200]
    assert all("below" in root["spans"] for root in roots)


@EVERY
def test_no_filter_rate_or_budget_is_passed_by(start, mode, mounted):
    transport = begun(start, rates={"/busy": 0.0}, budget="3/day", workers=1)
    paths = ["/health", "/busy", *["/page"] * 8]
    asyncio.run(serve(asgi_sentry.wrap(mounted()), *paths))
    assert 1 <= len(transactions(transport)) <= 3
    assert not [root for root in transactions(transport) if "health" in root["name"] or "busy" in root["name"]]


@EVERY
def test_its_error_is_reported_once_in_the_requests_trace(start, mode, mounted):
    transport = begun(start)
    asyncio.run(serve(asgi_sentry.wrap(mounted()), "/boom"))
    (root,) = transactions(transport)
    (event,) = transport.items("event")
    assert event["contexts"]["trace"]["trace_id"] == root["trace_id"]
    assert TOKEN not in str(transport.items("event"))


def test_a_transaction_that_the_app_starts_is_its_own(start, mode):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if V3 or mode == "stream":
            attributes = {"sentry.op": "http.server"}
            with sentry_sdk.traces.start_span("import", attributes=attributes, parent_span=None):
                pass
        else:
            with sentry_sdk.start_transaction(op="http.server", name="import"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = begun(start)
    asyncio.run(request(asgi_sentry.wrap(app)))
    assert sorted(root["name"] for root in transactions(transport)) == ["GET <unmatched>", "import"]


def test_outside_of_our_requests_integrations_look_after_their_own(start, mode):
    transport = begun(start)
    asyncio.run(request(by_an_integration(), path="/page"))
    assert [root["name"] for root in transactions(transport)] == ["/page"]


def test_and_so_does_a_server_that_a_request_left_running(start, mode):
    """A thread with the scopes of a request that is over serves others by then."""
    left: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        left.append(partial(sentry_sdk.get_current_scope().fork))
        left.append(asyncio.ensure_future(later()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def later() -> None:
        await over.wait()
        await request(by_an_integration(), path="/page")

    async def run() -> None:
        await request(asgi_sentry.wrap(app))
        over.set()
        await left[1]

    transport = begun(start)
    over = asyncio.Event()
    asyncio.run(run())
    assert "/page" in [root["name"] for root in transactions(transport)]
