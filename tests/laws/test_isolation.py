"""Law 4: nothing of one request is seen in another's, however they are interleaved, and wherever their work runs."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
import sentry_sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_sentry import (
    PathSamplingMiddleware,
    UserContextMiddleware,
    add_breadcrumb,
    capture_message,
    compose,
    set_context,
    set_user_context,
    wrap,
)
from asgi_sentry._request.record import RequestRecord, current
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import Start, transactions
from tests.quick import examples

MANY = 400  # requests at a time, of a dozen steps each


def surroundings() -> tuple[Any, ...]:
    scopes = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    return (*scopes, current(), *(dict(scope._tags) for scope in scopes), *(scope._user for scope in scopes))


def secret_of(number: str) -> str:
    return f"s3cr3t-of-{number}-{'x' * 12}"


def note_all(number: str) -> None:
    """Leave each kind of trace that may get to another request."""
    set_user_context(f"user-{number}", email=f"{number}@example.org")
    sentry_sdk.set_tag("number", number)
    sentry_sdk.set_extra("number", number)
    set_context("context", {"number": number})
    add_breadcrumb(f"crumb {number}")


def check_event(event: dict[str, Any]) -> None:
    """All of it is of the request that its message names."""
    number = event["message"].split()[1]
    assert event["user"] == {"id": f"user-{number}"}
    assert event["tags"]["number"] == number
    assert event["contexts"]["context"] == {"number": number}
    crumbs = {crumb["message"] for crumb in event["breadcrumbs"]["values"] if crumb["message"].startswith("crumb")}
    assert crumbs == {f"crumb {number}"}
    assert event["transaction"] == "GET /x"
    # The taint is of this request: its own secret is gone, and the other's, which is none here, stays.
    own, other = event["message"].split()[2:4]
    assert own == "[Filtered]"
    assert other.startswith("s3cr3t-of-")


async def interleaved(scope: Any, receive: Any, send: Any) -> None:
    number = scope["path"].strip("/")
    scope["route"] = "/x"
    record = current()
    note_all(number)
    for _ in range(random.Random(number).randrange(8)):
        await anyio.lowlevel.checkpoint()
        assert current() is record
    other = secret_of("none")
    how = int(number) % 6
    text = f"message {number} {secret_of(number)} {other}"
    if how == 0:
        await anyio.to_thread.run_sync(capture_message, text)
    elif how == 1:
        async with anyio.create_task_group() as group:
            group.start_soon(later, text)
    elif how == 2:
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        capture_message(text)
    elif how == 3:
        thread = threading.Thread(target=capture_message, args=(text,))
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
    elif how == 4:
        capture_message(text)
        raise ValueError(number)
    else:
        capture_message(text)
    assert current() is record
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def later(text: str) -> None:
    await anyio.lowlevel.checkpoint()
    capture_message(text)


async def one_of(app: Any, number: int) -> None:
    headers = [("authorization", f"Bearer {secret_of(str(number))}")]
    failing = number % 6 == 4
    with pytest.raises(ValueError, match=f"^{number}$") if failing else nullcontext():
        await request(app, path=f"/{number}", headers=headers)


@pytest.mark.untraced
@pytest.mark.anyio
async def test_many_requests_at_a_time_keep_what_is_theirs(start: Start, mode: str) -> None:
    transport = start()
    before = surroundings()
    app = wrap(interleaved)
    async with anyio.create_task_group() as group:
        for number in range(MANY):
            group.start_soon(one_of, app, number)
    assert surroundings() == before
    messages = [event for event in transport.items("event") if "message" in event]
    assert len(messages) == MANY
    for event in messages:
        check_event(event)
    assert len(transport.items("event")) == MANY + len(range(4, MANY, 6))
    traces = [root["trace_id"] for root in transactions(transport)]
    assert len(set(traces)) == len(traces)
    # In streaming mode a thread of the SDK's sends what has waited; what it has in hand now may be missing.
    assert len(traces) == MANY or mode == "stream"


@pytest.mark.anyio
async def test_requests_one_after_the_other_in_one_task_keep_what_is_theirs(start: Start) -> None:
    transport = start()
    before = surroundings()
    app = wrap(interleaved)
    for number in range(60):
        await one_of(app, number)
        assert surroundings() == before
    for event in transport.items("event"):
        if "message" in event:
            check_event(event)


@pytest.mark.anyio
async def test_the_decision_is_each_requests_own(start: Start) -> None:
    start()
    headers: dict[str, str] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        headers[scope["path"]] = sentry_sdk.get_traceparent() or ""

    stack = compose(app, partial(PathSamplingMiddleware, rates={"/no/**": 0.0, "/yes/**": 1.0}))
    async with anyio.create_task_group() as group:
        for number in range(40):
            group.start_soon(partial(request, stack, path=f"/{('no', 'yes')[number % 2]}/{number}"))
    assert len(headers) == 40
    for path, header in headers.items():
        assert header.endswith("-0" if "no" in path else "-1"), path
    assert len({header.split("-")[0] for header in headers.values()}) == 40


# --- where the work runs ------------------------------------------------------------------------------------------


async def in_the_task(work: Any) -> None:
    work()


async def in_a_child_task(work: Any) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(in_the_task, work)


async def in_a_worker_thread(work: Any) -> None:
    await anyio.to_thread.run_sync(work)


async def in_a_plain_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    await anyio.to_thread.run_sync(thread.join)


async def in_a_thread_of_a_thread(work: Any) -> None:
    def outer() -> None:
        inner = threading.Thread(target=work)
        inner.start()
        inner.join()

    await anyio.to_thread.run_sync(outer)


_POOL = ThreadPoolExecutor(1, thread_name_prefix="shared-by-all-tests")
_POOL.submit(int).result()  # its thread is there before any request is


async def in_a_pool(work: Any) -> None:
    await anyio.to_thread.run_sync(_POOL.submit(work).result)


async def in_an_isolated_scope(work: Any) -> None:
    with sentry_sdk.new_scope():
        work()


PLACES = [
    in_the_task,
    in_a_child_task,
    in_a_worker_thread,
    in_a_plain_thread,
    in_a_thread_of_a_thread,
    in_a_pool,
    in_an_isolated_scope,
]


@pytest.mark.anyio
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rate", [0.0, 1.0])
async def test_the_request_is_found_from_wherever_its_work_runs(start: Start, place: Any, rate: float) -> None:
    transport = start(traces_sample_rate=rate)
    found: list[Any] = []

    def work() -> None:
        found.append(current())
        set_user_context("u1")
        sentry_sdk.capture_message("hello s3cr3t-token-value")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "/x/{id}"
        record = current()
        await place(work)
        assert found == [record]
        assert record is not None
        assert record.bound_user == {"id": "u1"}
        sentry_sdk.capture_message("afterwards")

    await request(wrap(app), headers=[("authorization", "Bearer s3cr3t-token-value")])
    assert current() is None
    assert [event["message"] for event in transport.items("event")] == ["hello [Filtered]", "afterwards"]
    for event in transport.items("event"):
        assert event["user"] == {"id": "u1"}
        assert event["transaction"] == "GET /x/{id}"


@pytest.mark.anyio
@pytest.mark.parametrize("place", [in_a_pool, in_a_worker_thread])
async def test_a_thread_that_serves_many_requests_keeps_nothing(start: Start, place: Any) -> None:
    transport = start()
    left: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await place(partial(note_all, scope["path"].strip("/")))

    for number in range(3):
        await request(wrap(app), path=f"/{number}")
    await place(lambda: left.append((current(), capture_message("outside"))))
    assert left[0][0] is None
    (event,) = transport.items("event")
    assert "user" not in event
    assert "number" not in event.get("tags", {})


def test_a_thread_started_by_the_app_before_any_request_belongs_to_none(start: Start) -> None:
    start()
    asked, answered = threading.Event(), threading.Event()
    found: list[Any] = []

    def work() -> None:
        asked.wait(5)
        found.append(current())
        answered.set()

    thread = threading.Thread(target=work)
    thread.start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        answered.wait(5)

    anyio.run(request, wrap(app))
    thread.join()
    assert found == [None]


# --- what outlives a request --------------------------------------------------------------------------------------


def test_a_task_that_outlives_its_request_stays_with_it(start: Start) -> None:
    transport = start()

    async def main() -> None:
        go_on = asyncio.Event()
        tasks = []

        async def outliving(number: str) -> None:
            await go_on.wait()
            record = current()
            assert record is not None
            assert record.closed
            capture_message(f"message {number} {secret_of(number)} {secret_of('none')}")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            number = scope["path"].strip("/")
            scope["route"] = "/x"
            note_all(number)
            tasks.append(asyncio.create_task(outliving(number)))

        stack = wrap(app)
        for number in range(4):
            await one_of(stack, number)
            assert current() is None
        go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert len(transport.items("event")) == 4
    for event in transport.items("event"):
        check_event(event)


def test_a_request_started_in_anothers_context_is_not_part_of_it(start: Start) -> None:
    """As servers do with pipelined requests: the next is started from within the `send` of the one before."""
    transport = start()

    async def main() -> None:
        waiting: list[asyncio.Task[Any]] = []
        stack = wrap(interleaved)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            number = int(scope["path"].strip("/"))
            note_all(str(number))
            if number < 12:
                waiting.append(asyncio.get_running_loop().create_task(one_of(stacked, number + 6)))
            await stack.app(scope, receive, send)  # type: ignore[attr-defined]

        stacked = wrap(app)
        await one_of(stacked, 0)
        while waiting:
            await waiting.pop()

    asyncio.run(main())
    messages = [event for event in transport.items("event") if "message" in event]
    assert sorted(event["message"].split()[1] for event in messages) == ["0", "12", "6"]
    for event in messages:
        check_event(event)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_chain_of_contexts_keeps_no_chain_of_records(start: Start, rate: float) -> None:
    """On a connection that is never closed, each request's context is a copy of the one before."""
    start(traces_sample_rate=rate)
    length = 50

    def records() -> int:
        sentry_sdk.flush()
        gc.collect()
        return sum(type(each) is RequestRecord for each in gc.get_objects())

    async def main() -> None:
        done = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            left = int(scope["path"][1:])
            if left:
                asyncio.get_running_loop().call_soon(begin, left - 1)
            else:
                alive.append(records())
                done.set()

        stack = wrap(app)

        def begin(left: int) -> None:
            tasks.append(asyncio.get_running_loop().create_task(request(stack, path=f"/{left}")))
            if len(tasks) > 2:
                del tasks[0]

        tasks: list[Any] = []
        begin(length)
        await done.wait()
        await asyncio.gather(*tasks)

    alive = [records()]
    asyncio.run(main())
    assert alive[1] - alive[0] < length / 5


# --- what surrounds a request -------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("rate", [0.0, 1.0])
async def test_the_surroundings_are_left_as_they_were(start: Start, failing: bool, rate: float) -> None:
    transport = start(traces_sample_rate=rate)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        note_all("1")
        sentry_sdk.get_current_scope().set_tag("current", "1")
        # Scopes that the app enters and never leaves.
        sentry_sdk.new_scope().__enter__()
        sentry_sdk.isolation_scope().__enter__()
        if failing:
            raise ValueError("boom")

    with sentry_sdk.isolation_scope() as around:
        around.set_tag("around", "yes")
        before = surroundings()
        spans = sentry_sdk.get_current_scope()._span
        with pytest.raises(ValueError, match="boom") if failing else anyio.CancelScope():
            await request(wrap(app))
        assert surroundings() == before
        assert sentry_sdk.get_current_scope()._span is spans
        sentry_sdk.capture_message("outside")
    event = transport.items("event")[-1]
    assert event["tags"] == {"around": "yes"}
    assert "user" not in event


@pytest.mark.anyio
async def test_tags_of_the_surroundings_are_the_requests_too(start: Start) -> None:
    """What was set at start, on the global or the outer isolation scope, is meant for every request."""
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.capture_message("within")

    with sentry_sdk.isolation_scope() as around:
        around.set_tag("around", "yes")
        await request(wrap(app))
    (event,) = transport.items("event")
    assert event["tags"] == {"around": "yes"}


actions = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["start", "user", "tag", "say", "fail", "end", "close"])), max_size=30
)


@settings(max_examples=examples(30))
@given(actions=actions, rate=st.sampled_from([0.0, 1.0]))
def test_any_interleaving_keeps_requests_apart(start: Start, actions: list[tuple[int, str]], rate: float) -> None:
    """Four requests, stepped by hand in any order, each in a context of its own, like a server's tasks."""
    import contextvars

    transport: RecordingTransport = start(traces_sample_rate=rate)
    before = surroundings()

    class Step:
        def __await__(self) -> Any:
            return (yield)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["path"]
        user = tag = None
        while True:
            action = await Step()
            if action == "user":
                user = f"user {mine}"
                set_user_context(user)
            elif action == "tag":
                tag = f"tag {mine}"
                sentry_sdk.set_tag("tag", tag)
            elif action == "say":
                capture_message(f"{mine} {user} {tag}")
            elif action == "fail":
                raise ValueError(f"{mine} {user} {tag}")
            elif action == "end":
                return

    running: dict[int, tuple[contextvars.Context, Any]] = {}
    count = 0
    for number, action in actions:
        if number not in running:
            count += 1
            context = contextvars.copy_context()
            scope = {"type": "http", "method": "GET", "path": f"/{count}", "headers": []}
            coroutine = compose(app, UserContextMiddleware)(scope, None, None)  # type: ignore[arg-type]
            context.run(coroutine.send, None)
            running[number] = context, coroutine
        context, coroutine = running[number]
        if action == "close":
            del running[number]
            context.run(coroutine.close)
            continue
        try:
            context.run(coroutine.send, action)
        except (StopIteration, ValueError):
            del running[number]
            assert context.run(surroundings) == before
    for context, coroutine in running.values():
        context.run(coroutine.close)
    assert surroundings() == before
    for event in transport.items("event"):
        said = event.get("message") or event["exception"]["values"][0]["value"]
        mine, *rest = said.split(" ")
        assert event.get("user", {}).get("id", "None") in " ".join(rest) or event["user"]["id"] == f"user {mine}"
        assert event.get("tags", {}).get("tag") in {None, f"tag {mine}"}
        assert event.get("user", {}).get("id") in {None, f"user {mine}"}
        assert ("user /" in said) == ("user" in event)
        assert ("tag /" in said) == ("tag" in event.get("tags", {}))
