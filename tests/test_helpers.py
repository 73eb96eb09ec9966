"""The helpers that app code calls: spans of functions of every kind, users from anywhere, captures."""

from __future__ import annotations

import threading
from contextlib import aclosing
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry import trace_function
from asgi_sentry.testing import request
from tests import apps
from tests.conftest import transactions


async def traced(start: Any, work: Any) -> list[str]:
    """The names of the child spans that this work makes within a request."""
    transport = start()
    app = asgi_sentry.SentryMiddleware(apps.starlette_app(work=work))
    await request(app, path="/work")
    (root,) = transactions(transport)
    return root["spans"]


# -- trace_function ----------------------------------------------------------------------------------------------------


@trace_function
def bare(value: int) -> int:
    """The docstring."""
    return value + 1


@trace_function("db.query", name="the query")
def named(value: int) -> int:
    return value + 1


@trace_function(op="db.query")
async def coroutine(value: int) -> int:
    await anyio.lowlevel.checkpoint()
    return value + 1


def test_a_function_stays_what_it_was():
    assert (bare.__name__, bare.__doc__, bare(1), named(1)) == ("bare", "The docstring.", 2, 2)
    with pytest.raises(TypeError):
        bare()  # type: ignore[call-arg]


@pytest.mark.parametrize("op", [7, 1.5, ["x"], b"x"])
def test_an_op_is_a_text(op):
    with pytest.raises(TypeError, match="op must be a text"):
        trace_function(op)


@pytest.mark.anyio
async def test_functions_and_coroutines(start, mode):
    async def work(_: Any) -> None:
        assert (bare(1), named(1), await coroutine(1)) == (2, 2, 2)

    assert await traced(start, work) == ["bare", "the query", "coroutine"]


@pytest.mark.anyio
async def test_a_method(start, mode):
    class Shop:
        @trace_function
        def sell(self) -> str:
            return "sold"

        @staticmethod
        @trace_function
        def open() -> str:
            return "open"

    def work(_: Any) -> None:
        assert (Shop().sell(), Shop.open()) == ("sold", "open")

    names = await traced(start, work)
    assert [name.rsplit(".", 2)[-2:] for name in names] == [["Shop", "sell"], ["Shop", "open"]]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async generator"])
async def test_what_it_raises_comes_out_as_the_same_object(start, mode, kind):
    boom = RuntimeError("boom")

    @trace_function
    def function() -> None:
        raise boom

    @trace_function
    async def coroutine() -> None:
        raise boom

    @trace_function
    def generator() -> Any:
        yield 1
        raise boom

    @trace_function
    async def async_generator() -> Any:
        yield 1
        raise boom

    async def run() -> None:
        if kind == "function":
            function()
        elif kind == "coroutine":
            await coroutine()
        elif kind == "generator":
            list(generator())
        else:
            async for _ in async_generator():
                pass

    async def work(_: Any) -> None:
        with pytest.raises(RuntimeError) as raised:
            await run()
        assert raised.value is boom

    assert len(await traced(start, work)) == 1


@trace_function
def conversation() -> Any:
    """Takes values and exceptions, cleans up, and returns something."""
    said = []
    try:
        while True:
            try:
                got = yield len(said)
            except KeyError as exc:
                got = exc.args[0]
            if got is None:
                return said
            said.append(got)
    finally:
        said.append("bye")


@pytest.mark.anyio
async def test_a_generator_is_talked_to_through_it(start, mode):
    def work(_: Any) -> None:
        talk = conversation()
        assert next(talk) == 0
        assert talk.send("one") == 1
        assert talk.throw(KeyError("two")) == 2
        with pytest.raises(StopIteration) as stopped:
            talk.send(None)
        assert stopped.value.value == ["one", "two", "bye"]
        closed = conversation()
        next(closed)
        closed.close()
        inner = conversation()
        next(inner)
        with pytest.raises(ZeroDivisionError):
            inner.throw(ZeroDivisionError)

        def delegating() -> Any:
            return (yield from conversation())

        outer = delegating()
        next(outer)
        assert outer.send("x") == 1

    assert set(await traced(start, work)) == {"conversation"}


@trace_function
async def async_conversation(said: list[Any]) -> Any:
    try:
        while True:
            try:
                got = yield len(said)
            except KeyError as exc:
                got = exc.args[0]
            if got is None:
                return
            said.append(got)
            await anyio.lowlevel.checkpoint()
    finally:
        said.append("bye")


@pytest.mark.anyio
async def test_an_async_generator_is_talked_to_through_it(start, mode):
    async def work(_: Any) -> None:
        said: list[Any] = []
        talk = async_conversation(said)
        assert await talk.__anext__() == 0
        assert await talk.asend("one") == 1
        assert await talk.athrow(KeyError("two")) == 2
        with pytest.raises(StopAsyncIteration):
            await talk.asend(None)
        assert said == ["one", "two", "bye"]
        said.clear()
        closed = async_conversation(said)
        await closed.__anext__()
        await closed.aclose()
        assert said == ["bye"]
        inner = async_conversation(said)
        await inner.__anext__()
        with pytest.raises(ZeroDivisionError):
            await inner.athrow(ZeroDivisionError)
        async with aclosing(async_conversation([])) as left_early:
            async for number in left_early:
                assert number == 0
                break

    assert set(await traced(start, work)) <= {"async_conversation"}


@pytest.mark.anyio
async def test_a_generators_consumer_is_not_its_child(start, mode):
    """Between two values the consumer runs, in the same context; its spans are the request's."""

    @trace_function(name="numbers")
    def numbers() -> Any:
        yield 1
        yield 2

    @trace_function(name="used")
    def use(_: int) -> None:
        """A span of the consumer's."""

    def work(_: Any) -> None:
        for number in numbers():
            use(number)

    transport = start()
    await request(asgi_sentry.SentryMiddleware(apps.starlette_app(work=work)), path="/work")
    (root,) = transactions(transport)
    assert sorted(root["spans"]) == ["numbers", "used", "used"]
    parents = {
        span["parent_span_id"]
        for event in transport.items("transaction")
        for span in event["spans"]
        if span["description"] == "used"
    } | {span["parent_span_id"] for span in transport.items("span") if span["name"] == "used"}
    assert parents == {root["span_id"]}


@pytest.mark.anyio
async def test_outside_of_requests_and_without_a_client_it_only_calls(start, mode):
    assert (bare(1), await coroutine(1)) == (2, 2)
    transport = start()
    assert (bare(1), await coroutine(1), list(zip(range(2), conversation(), strict=False))) == (2, 2, [(0, 0)])
    assert transactions(transport) == []


# -- the user ----------------------------------------------------------------------------------------------------------


async def _in_child_task() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_set_user)


async def _set_user() -> None:
    asgi_sentry.set_user_context(42)


async def _in_worker() -> None:
    await anyio.to_thread.run_sync(asgi_sentry.set_user_context, 42)


async def _in_thread() -> None:
    thread = threading.Thread(target=asgi_sentry.set_user_context, args=(42,))
    thread.start()
    thread.join()


PLACES = {"handler": _set_user, "child task": _in_child_task, "worker": _in_worker, "thread": _in_thread}
STACKS = {
    "outside": asgi_sentry.wrap,
    "base between": lambda app: asgi_sentry.compose(app, asgi_sentry.SentryMiddleware, apps.Base),
    "no user layer": asgi_sentry.SentryMiddleware,
}


@pytest.mark.anyio
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_user_is_bound_from_anywhere(start, mode, place, stack):
    transport = start()

    async def work(_: Any) -> None:
        await PLACES[place]()
        asgi_sentry.capture_message("here")

    app = STACKS[stack](apps.starlette_app(work=work))
    await request(app, path="/work")
    await request(app, path="/items/7")
    (event,) = transport.items("event")
    assert event["user"] == {"id": "42"}
    assert [root["user"] for root in transactions(transport)] == ["42", None]


@pytest.mark.anyio
async def test_the_last_word_counts_and_nothing_takes_it_back(start, mode):
    transport = start()

    def work(_: Any) -> None:
        asgi_sentry.set_user_context(1, username="one")
        asgi_sentry.set_user_context(2, email="two@example.com", username="two")
        asgi_sentry.capture_message("two")
        asgi_sentry.set_user_context()
        asgi_sentry.capture_message("nobody")

    layer = asgi_sentry.UserContextMiddleware(apps.starlette_app(work=work), fields=("id", "username"))
    await request(layer, path="/work")
    two, nobody = transport.items("event")
    assert two["user"] == {"id": "2", "username": "two"}
    assert "user" not in nobody


def test_outside_of_a_request_the_user_is_the_scopes(start, mode):
    transport = start()
    asgi_sentry.set_user_context(42, email="someone@example.com")
    asgi_sentry.capture_message("one")
    asgi_sentry.set_user_context()
    asgi_sentry.capture_message("two")
    one, two = transport.items("event")
    assert one["user"] == {"id": "42"}
    assert not two.get("user")


# -- captures ----------------------------------------------------------------------------------------------------------


def test_captures_say_what_they_are_told(start, mode):
    transport = start()
    try:
        apps.fail()
    except RuntimeError as exc:
        first = asgi_sentry.capture_exception(exc, level="fatal", tags={"shop": "ulm"}, extra={"order": 7})
    second = asgi_sentry.capture_message("hello", level="warning", tags={"shop": "ulm"}, extra={"order": 7})
    events = transport.items("event")
    assert [event["event_id"] for event in events] == [first, second]
    assert [event["level"] for event in events] == ["fatal", "warning"]
    for event in events:
        assert (event["tags"]["shop"], event["extra"]["order"]) == ("ulm", 7)


def test_context_and_breadcrumbs(start, mode):
    transport = start()
    data = {"a": 1}
    asgi_sentry.set_context("shop", data)
    data["a"] = 2
    asgi_sentry.add_breadcrumb("stepped", category="walk", level="warning", data={"n": 1})
    asgi_sentry.capture_message("here")
    (event,) = transport.items("event")
    assert event["contexts"]["shop"] == {"a": 1}
    (crumb,) = event["breadcrumbs"]["values"]
    assert (crumb["message"], crumb["category"], crumb["level"], crumb["data"]) == (
        "stepped",
        "walk",
        "warning",
        {"n": 1},
    )


@pytest.mark.parametrize("started", [True, False])
def test_none_of_them_raises_for_what_it_is_given(start, mode, started):
    if started:
        start()
    assert asgi_sentry.capture_exception() is None or started
    asgi_sentry.capture_exception("no exception")  # type: ignore[arg-type]
    asgi_sentry.capture_message(None)  # type: ignore[arg-type]
    asgi_sentry.capture_message("x", tags=7, extra=7)  # type: ignore[arg-type]
    asgi_sentry.set_context("x", 7)  # type: ignore[arg-type]
    asgi_sentry.add_breadcrumb("x", data=7)  # type: ignore[arg-type]
    asgi_sentry.set_user_context(object(), name=object())
    asgi_sentry.capture_message("x")
    sentry_sdk.flush()


@pytest.mark.parametrize("inside", [True, False])
def test_a_user_that_cannot_be_read_raises_nothing(start, mode, inside):
    class Panic(BaseException):
        pass

    class User:
        def __str__(self) -> str:
            raise Panic

    transport = start()

    def work(*_: Any) -> None:
        asgi_sentry.set_user_context(User(), email=User())

    if inside:
        anyio.run(partial(request, asgi_sentry.wrap(apps.starlette_app(work=work)), path="/work"))
    else:
        work()
    asgi_sentry.capture_message("here")
    assert len(transport.items("event")) == 1
