"""A request ends with the last message of its response; what is done for it afterwards is a child span."""

from __future__ import annotations

import gc
import time
from datetime import datetime
from typing import Any

import anyio
import pytest
import sentry_sdk
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

import asgi_sentry
from asgi_sentry import keep
from asgi_sentry.testing import RecordingTransport, request
from tests import apps

pytestmark = pytest.mark.anyio

PAUSE = 0.06  # seconds: what has to be seen in a duration
traced = asgi_sentry.trace_function(name="in the background")(lambda: None)


def spans(transport: RecordingTransport) -> list[dict[str, Any]]:
    """All spans, roots among them, in one shape: op, name, start, end, id, parent, status."""
    sentry_sdk.flush()
    found = []
    for event in transport.items("transaction"):
        trace = event["contexts"]["trace"]
        root = {**event, **trace, "description": event["transaction"]}
        found += [
            {
                "op": span["op"],
                "name": span["description"],
                "start": seconds(span["start_timestamp"]),
                "end": seconds(span["timestamp"]),
                "id": span["span_id"],
                "parent": span.get("parent_span_id"),
                "failed": span.get("status") == "internal_error",
            }
            for span in [root, *event["spans"]]
        ]
    for span in transport.items("span"):
        found.append(
            {
                "op": span["attributes"]["sentry.op"]["value"],
                "name": span["name"],
                "start": span["start_timestamp"],
                "end": span["end_timestamp"],
                "id": span["span_id"],
                "parent": span.get("parent_span_id"),
                "failed": span["status"] == "error",
            }
        )
    return found


def seconds(stamp: Any) -> float:
    return stamp if isinstance(stamp, float) else datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def one(found: list[dict[str, Any]], op: str) -> dict[str, Any]:
    (span,) = [each for each in found if each["op"] == op]
    return span


def length(span: dict[str, Any]) -> float:
    return span["end"] - span["start"]


async def rest(*_: Any) -> None:
    await anyio.sleep(PAUSE)


async def fail(*_: Any) -> None:
    raise RuntimeError("boom")


def starlette(work: Any) -> Any:
    async def endpoint(_: Any) -> PlainTextResponse:
        return PlainTextResponse("ok", background=BackgroundTask(work))

    return Starlette(routes=[Route("/", endpoint)])


def answering(*, after: Any = None, **more: Any) -> Any:
    """A plain app that does something after its answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], **more})
        await send({"type": "http.response.body", "body": b"ok"})
        if after is not None:
            await after(send)

    return app


async def call(app: Any, **options: Any) -> None:
    try:
        await request(app, **options)
    except Exception as exc:
        if "boom" not in {str(each) for each in apps.unrolled(exc)}:
            raise


async def test_background_work_is_a_span_of_its_own(start, mode):
    transport = start()
    await call(asgi_sentry.wrap(starlette(rest)))
    found = spans(transport)
    root, background = one(found, "http.server"), one(found, "asgi.background")
    assert length(root) < PAUSE <= length(background) + 0.001
    assert background["parent"] == root["id"]
    assert background["start"] == pytest.approx(root["end"], abs=0.002)
    assert not root["failed"]
    assert not background["failed"]


async def test_its_own_spans_are_below_it_or_at_least_below_the_root(start, mode):
    async def work() -> None:
        await rest()
        traced()

    transport = start()
    await call(asgi_sentry.wrap(starlette(work)))
    found = spans(transport)
    (inner,) = [span for span in found if span["name"] == "in the background"]
    above = one(found, "asgi.background" if mode == "classic" else "http.server")
    assert inner["parent"] == above["id"]


async def test_work_of_no_time_that_is_traced_is_not_lost(start, mode):
    async def work(_: Any) -> None:
        traced()

    transport = start()
    await call(asgi_sentry.wrap(answering(after=work)))
    found = spans(transport)
    ids = {span["id"] for span in found}
    assert [span["name"] for span in found].count("in the background") == 1
    assert all(span["parent"] in ids for span in found if span["op"] != "http.server")


async def test_without_background_work_there_is_no_span(start, mode):
    transport = start()
    await call(asgi_sentry.wrap(answering()))
    assert [span["op"] for span in spans(transport)] == ["http.server"]


def stand_still(seconds: float) -> None:
    """As a thread does whose processor another process has."""
    time.sleep(seconds)


def busy(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def test_a_slow_machine_makes_no_background_work(start, mode):
    """The thread stands still for a while when the app returns, as where another process has the processor."""

    async def returning(_: Any) -> None:
        stand_still(0.03)

    transport = start()
    gc.collect()  # or it may compute while the thread stands still
    await call(asgi_sentry.wrap(answering(after=returning)))
    assert [span["op"] for span in spans(transport)] == ["http.server"]


@pytest.mark.parametrize("layers", [1, 4])
async def test_a_busy_loop_makes_no_background_work(start, mode, layers):
    """Each turn of the loop takes long, and a framework's layers need some to return."""

    async def others() -> None:
        while True:
            stand_still(0.003)
            await anyio.lowlevel.checkpoint()

    transport = start()
    app = apps.starlette_app(inside=[(apps.Base, {})] * layers)
    async with anyio.create_task_group() as group:
        group.start_soon(others)
        await call(asgi_sentry.wrap(app), path="/items/7")
        group.cancel_scope.cancel()
    assert "asgi.background" not in [span["op"] for span in spans(transport)]


@pytest.mark.parametrize("work", [busy, time.sleep], ids=["computing", "blocking"])
async def test_work_that_lets_nobody_else_run_is_seen(start, mode, work):
    async def after(_: Any) -> None:
        work(0.3)

    transport = start()
    await call(asgi_sentry.wrap(answering(after=after)))
    assert length(one(spans(transport), "asgi.background")) >= 0.29


async def test_and_so_is_computing_for_a_short_time(start, mode):
    async def after(_: Any) -> None:
        busy(0.02)

    transport = start()
    await call(asgi_sentry.wrap(answering(after=after)))
    assert one(spans(transport), "asgi.background")


async def test_work_in_a_thread_is_seen_behind_layers_of_the_framework(start, mode):
    app = apps.Base(starlette(lambda: time.sleep(PAUSE)))
    transport = start()
    await call(asgi_sentry.wrap(app))
    assert one(spans(transport), "asgi.background")


async def test_an_error_after_the_end_is_the_works_and_not_the_answers(start, mode):
    transport = start()
    await call(asgi_sentry.wrap(starlette(fail)))
    found = spans(transport)
    assert not one(found, "http.server")["failed"]
    assert one(found, "asgi.background")["failed"]
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["mechanism"]["handled"] is False


async def test_an_error_before_the_end_is_the_answers(start, mode):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        await fail()

    transport = start()
    await call(asgi_sentry.wrap(app))
    (root,) = spans(transport)
    assert root["failed"]


async def test_a_stream_ends_with_its_last_piece(start, mode):
    async def pieces() -> Any:
        yield b"first"
        await rest()
        yield b"last"

    async def endpoint(_: Any) -> StreamingResponse:
        return StreamingResponse(pieces(), background=BackgroundTask(rest))

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        """Our client hangs up at once, and Starlette ends a stream by that."""

        async def connected() -> Any:
            return await anyio.sleep_forever()

        await inner(scope, connected, send)

    inner = Starlette(routes=[Route("/", endpoint)])
    transport = start()
    await call(asgi_sentry.wrap(patient))
    found = spans(transport)
    assert length(one(found, "http.server")) + 0.001 >= PAUSE
    assert length(one(found, "asgi.background")) + 0.001 >= PAUSE
    # By the order and not by the clock: a busy machine makes any of them longer.
    assert one(found, "http.server")["end"] <= one(found, "asgi.background")["start"] + 0.001


async def test_trailers_end_a_response_that_has_them(start, mode):
    async def trailers(send: Any) -> None:
        await rest()
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": False})

    transport = start()
    await call(asgi_sentry.wrap(answering(after=trailers, trailers=True)))
    (root,) = spans(transport)
    assert length(root) + 0.001 >= PAUSE


async def test_a_response_without_an_end_lasts_as_long_as_the_app(start, mode):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"event", "more_body": True})
        await rest()

    transport = start()
    await call(asgi_sentry.wrap(app))
    (root,) = spans(transport)
    assert length(root) + 0.001 >= PAUSE


async def test_head_ends_too(start, mode):
    transport = start()
    app = asgi_sentry.SentryMiddleware(answering(after=rest))
    await call(app, method="HEAD")
    found = spans(transport)
    assert length(one(found, "http.server")) < PAUSE
    assert one(found, "asgi.background")


@pytest.mark.parametrize("after", [False, True])
async def test_slower_than_goes_by_the_request(start, mode, after):
    """And not by the work behind it."""
    if mode == "stream":
        pytest.skip("nothing is decided at the end there")
    app = answering(after=rest if after else None)
    if not after:

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await rest()
            await answering()(scope, receive, send)

        app = slow
    transport = start(asgi_sentry.Settings(dsn="http://k@localhost/1", traces_sample_rate=0.0))
    await call(asgi_sentry.PathSamplingMiddleware(app, keep=[keep.slower_than(PAUSE * 0.9)]))
    sentry_sdk.flush()
    assert len(transport.items("transaction")) == (not after)


async def test_a_failure_behind_the_answer_is_kept_all_the_same(start, mode):
    if mode == "stream":
        pytest.skip("nothing is decided at the end there")
    transport = start(asgi_sentry.Settings(dsn="http://k@localhost/1", traces_sample_rate=0.0))
    await call(asgi_sentry.PathSamplingMiddleware(answering(after=fail), keep=[keep.errors()]))
    sentry_sdk.flush()
    assert len(transport.items("transaction")) == 1


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
async def test_in_each_framework(start, mode, framework):
    transport = start()
    await call(asgi_sentry.wrap(apps.FRAMEWORKS[framework]()), path="/background")
    found = spans(transport)
    assert one(found, "asgi.background")["failed"]
    assert not one(found, "http.server")["failed"]
