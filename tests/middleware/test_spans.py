"""Spans of other people's layers: for those in a `compose`, if the root is told so."""

from __future__ import annotations

import traceback
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

import asgi_sentry
from asgi_sentry import SentryMiddleware, compose
from asgi_sentry.testing import RecordingTransport, request
from tests import apps


def answer_late(app: Any) -> Any:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return late


LATE = "answer_late.<locals>.late"
ROOTS = {
    "partial": partial(SentryMiddleware, middleware_spans=True),
    "starlette's": Middleware(SentryMiddleware, middleware_spans=True),
}


def spans(transport: RecordingTransport) -> list[tuple[str, str, str | None, str]]:
    """Name, id, parent and op of each span that is no root, the first to begin first."""
    sentry_sdk.flush()
    found = [
        (span["start_timestamp"], span["description"], span["span_id"], span["parent_span_id"], span["op"])
        for event in transport.items("transaction")
        for span in event["spans"]
    ]
    found += [
        (span["start_timestamp"], span["name"], span["span_id"], span["parent_span_id"], op["value"])
        for span in transport.items("span")
        if (op := span["attributes"]["sentry.op"])["value"] == "middleware.asgi"
    ]
    return [tuple(span[1:]) for span in sorted(found)]


@pytest.mark.parametrize("kind", ROOTS)
def test_each_layer_has_one_and_they_stand_within_each_other(start, mode, kind):
    transport = start()
    app = compose(apps.starlette_app(), ROOTS[kind], GZipMiddleware, asgi_sentry.UserContextMiddleware, answer_late)
    anyio.run(partial(request, app, path="/items/7"))
    outer, inner = spans(transport)
    assert [outer[0], inner[0]] == ["GZipMiddleware", LATE]
    assert inner[2] == outer[1]
    assert outer[3] == inner[3] == "middleware.asgi"


def test_a_root_further_in_asks_for_those_within_it(start, mode):
    """What stands around it runs before there is a trace."""
    transport = start()
    app = compose(apps.starlette_app(), answer_late, ROOTS["partial"], GZipMiddleware)
    anyio.run(partial(request, app, path="/items/7"))
    assert [span[0] for span in spans(transport)] == ["GZipMiddleware"]


def test_nobody_asked_nobody_has_them(start, mode):
    transport = start()
    app = compose(apps.starlette_app(), SentryMiddleware, GZipMiddleware, answer_late)
    anyio.run(partial(request, app, path="/items/7"))
    assert not spans(transport)


def test_what_they_raise_passes_without_a_frame_of_ours_in_the_report(start, mode):
    transport = start()
    app = compose(apps.starlette_app(), ROOTS["partial"], answer_late)
    with pytest.raises(RuntimeError) as caught:
        anyio.run(partial(request, app, path="/boom"))
    (event,) = transport.items("event")
    frames = [frame["module"] for frame in event["exception"]["values"][-1]["stacktrace"]["frames"]]
    assert not [module for module in frames if module.startswith("asgi_sentry._middleware")]
    assert traceback.extract_tb(caught.value.__traceback__)


def test_the_lifespan_has_none(start, mode):
    transport = start()
    app = compose(apps.starlette_app(), ROOTS["partial"], answer_late)

    async def serve() -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Any:
            return {"type": next(messages)}

        async def send(_: Any) -> None:
            pass

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    anyio.run(serve)
    assert not spans(transport)
