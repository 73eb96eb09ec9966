"""`asgi_sentry.testing`, which is public: it records what the SDK's own transport would send and count."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.transport import HttpTransport

from asgi_sentry.testing import RecordingTransport, _Crowd, request
from tests.conftest import DSN


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked."""
    echo.scope = scope  # type: ignore[attr-defined]
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    echo.after = await receive()  # type: ignore[attr-defined]
    await send({"type": "http.response.start", "status": 207, "headers": [(b"X-One", b"1"), (b"x-one", b"2")]})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


@pytest.mark.anyio
async def test_a_request_is_a_whole_one():
    answer = await request(
        echo,
        "POST",
        "/a/ü",
        headers=[("X-Api-Key", "k"), (b"Accept", b"*/*")],
        body=b"hello",
        query=b"a=1",
        scope={"root_path": "/root", "extra": 7},
    )
    assert (answer.status, answer.headers, answer.body) == (207, [(b"X-One", b"1"), (b"x-one", b"2")], b"hello!")
    scope = echo.scope  # type: ignore[attr-defined]
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/a/ü", b"a=1")
    assert scope["headers"] == [(b"x-api-key", b"k"), (b"accept", b"*/*")]
    assert (scope["root_path"], scope["extra"], scope["type"]) == ("/root", 7, "http")
    assert echo.after == {"type": "http.disconnect"}  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_it_raises_what_the_app_raises():
    boom = RuntimeError("boom")

    async def app(*_: Any) -> None:
        raise boom

    with pytest.raises(RuntimeError) as raised:
        await request(app)
    assert raised.value is boom


@pytest.mark.anyio
async def test_an_app_that_answers_nothing():
    async def app(*_: Any) -> None:
        """Nothing."""

    assert await request(app) == (0, [], b"")


def _item(kind: str, content: Any, **headers: Any) -> Item:
    return Item(payload=PayloadRef(json=content), type=kind, headers=headers)


LOSSES: list[dict[str, Any]] = [
    {"reason": "sample_rate", "data_category": "span", "quantity": 3},
    {"reason": "sample_rate", "data_category": "transaction"},
    {"reason": "x", "item": _item("event", {"message": "a"})},
    {"reason": "x", "item": _item("transaction", {"type": "transaction", "spans": [{}, {}]})},
    {"reason": "x", "item": _item("log", {"items": [{}, {}]}, item_count=2)},
    {"reason": "x", "item": _item("span", {"items": [{}, {}]}, item_count=2)},
    {"reason": "x", "item": _item("trace_metric", {"items": [{}]}, item_count=1)},
    {"reason": "x", "item": _item("sessions", {"aggregates": []})},
    {"reason": "x", "item": Item(payload=PayloadRef(bytes=b"12345"), type="attachment")},
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: str(loss.get("data_category") or loss["item"].type))
def test_losses_are_counted_as_by_the_sdks_own_transport(loss, monkeypatch):
    loss = dict(loss)
    reason = loss.pop("reason")
    sentry_sdk.init(dsn=DSN, transport=HttpTransport)
    theirs = sentry_sdk.get_client().transport
    theirs._discarded_events.clear()
    theirs.record_lost_event(reason, **loss)
    expected = {(reason, category): count for (category, reason), count in theirs._discarded_events.items()}
    ours = RecordingTransport()
    ours.record_lost_event(reason, **loss)
    counted: dict[tuple[str, str], int] = {}
    for why, category, quantity in ours.lost:
        counted[why, category] = counted.get((why, category), 0) + quantity
    assert counted == expected
    theirs._discarded_events.clear()


def test_a_loss_of_nothing_is_refused():
    with pytest.raises(TypeError):
        RecordingTransport().record_lost_event("x")


def test_items_are_payloads_one_by_one():
    transport = RecordingTransport()
    transport.capture_envelope(Envelope(items=[_item("log", {"items": [{"body": "1"}, {"body": "2"}]})]))
    transport.capture_envelope(
        Envelope(items=[_item("event", {"message": "m"}), _item("sessions", {"aggregates": []})])
    )
    assert transport.items("log") == [{"body": "1"}, {"body": "2"}]
    assert transport.items("event") == [{"message": "m"}]
    assert transport.items("sessions") == [{"aggregates": []}]
    assert transport.items("span") == []
    transport.lost.append(("x", "span", 1))
    transport.clear()
    assert (transport.envelopes, transport.lost) == ([], [])


def test_it_also_works_with_a_plain_init():
    transport = RecordingTransport()
    sentry_sdk.init(dsn=DSN, transport=transport, auto_enabling_integrations=False)
    sentry_sdk.capture_message("here")
    (event,) = transport.items("event")
    assert event["message"] == "here"


# -- an app that looks out for its client's going ----------------------------------------------------------------------


def _start() -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": []}


async def _answer_in_parts(send: Any) -> None:
    await send(_start())
    for part in (b"1", b"2", b"3"):
        await anyio.sleep(0.001)
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"."})


async def listening_in_its_own_task(scope: Any, receive: Any, send: Any) -> None:
    """As Starlette does before ASGI 2.4, and as server-sent events do."""
    async with anyio.create_task_group() as group:
        group.start_soon(_answer_in_parts, send)
        while (await receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()


async def listening_in_another_task(scope: Any, receive: Any, send: Any) -> None:
    """As Django does."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await _answer_in_parts(send)


async def looking_between_parts(scope: Any, receive: Any, send: Any) -> None:
    """As `Request.is_disconnected` does."""
    await receive()
    gone = []

    async def look() -> None:
        with anyio.CancelScope() as waiting:
            waiting.cancel()
            gone.append(await receive())

    await look()
    await send(_start())
    for part in (b"1", b"2", b"3"):
        await look()
        await send({"type": "http.response.body", "body": part, "more_body": not gone})
    await send({"type": "http.response.body", "body": b"."})


@pytest.mark.anyio
@pytest.mark.parametrize(
    "app", [listening_in_its_own_task, listening_in_another_task, looking_between_parts], ids=lambda app: app.__name__
)
async def test_the_client_stays_until_the_answer_has_ended(app):
    with anyio.fail_after(5):
        answer = await request(app)
    assert answer.body == b"123."


@pytest.mark.anyio
async def test_a_listener_that_is_left_is_told_that_the_client_is_gone():
    heard = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> None:
            await receive()
            await receive()
            heard.set()

        group.start_soon(listen)
        await _answer_in_parts(send)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            await request(app)
            await heard.wait()


@pytest.mark.anyio
async def test_a_listener_of_an_app_that_fails_is_told_as_well():
    heard = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> None:
            await receive()
            await receive()
            heard.set()

        group.start_soon(listen)
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("boom")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            with pytest.raises(RuntimeError, match="boom"):
                await request(app)
            await heard.wait()


@pytest.mark.parametrize("crowd", [1, 31, 32, 33, 500])
def test_each_of_a_crowd_is_answered_and_the_tasks_are_not_listed_by_each(crowd, monkeypatch):
    listed = 0
    all_tasks = asyncio.all_tasks

    def counted(*loop: Any) -> Any:
        nonlocal listed
        listed += 1
        return all_tasks(*loop)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal there
        there += 1
        if there == crowd:
            everyone.set()
        await everyone.wait()
        await _answer_in_parts(send)

    async def main() -> list[Any]:
        nonlocal everyone
        everyone = asyncio.Event()
        return await asyncio.gather(*(request(app) for _ in range(crowd)))

    monkeypatch.setattr(asyncio, "all_tasks", counted)
    for _ in range(2):  # a crowd that has gone leaves nothing behind
        there, listed, everyone = 0, 0, None
        loop = asyncio.new_event_loop()
        try:
            answers = loop.run_until_complete(main())
        finally:
            loop.close()
        assert [answer.body for answer in answers] == [b"123."] * crowd
        assert listed == min(crowd, 32)
        assert not _Crowd.of


def test_without_an_event_loop_nobody_waits():
    coroutine = request(echo, body=b"hello")
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value.body == b"hello!"
