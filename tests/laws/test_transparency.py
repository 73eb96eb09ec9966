"""Law 1: with any stack, the app and its server meet as if nothing stood between them."""

from __future__ import annotations

import gc
import logging
import sys
import traceback
from collections.abc import Coroutine
from functools import partial
from types import MappingProxyType
from typing import Any

import anyio
import httpx
import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry import (
    BodyScrubbingMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    compose,
    wrap,
)
from asgi_sentry._request.record import KEY, RequestRecord, current
from asgi_sentry.testing import request
from tests.conftest import Start, transactions
from tests.strategies import asgi_messages, layer_stacks

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

HTTP = {"type": "http", "method": "POST", "path": "/p/1", "headers": [], "query_string": b"a=b", "root_path": ""}
SOCKET = {"type": "websocket", "path": "/p/1", "headers": [], "query_string": b"", "root_path": ""}
LAYERS = (
    SentryMiddleware,
    TransactionFilterMiddleware,
    PathSamplingMiddleware,
    UserContextMiddleware,
    HeaderScrubbingMiddleware,
    partial(BodyScrubbingMiddleware, attach="always"),
)


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits for anything, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


class Server:
    """Hands out messages, and keeps what it is sent; each side raises when it is told to."""

    def __init__(self, messages: list[Any], *, receive_raises: int = -1, send_raises: int = -1) -> None:
        self.messages = messages
        self.received = 0
        self.sent: list[Any] = []
        self.fault = OSError("connection lost")
        self._receive_raises, self._send_raises = receive_raises, send_raises

    async def receive(self) -> Any:
        if self.received == self._receive_raises:
            raise self.fault
        self.received += 1
        return self.messages[(self.received - 1) % len(self.messages)]

    async def send(self, message: Any) -> None:
        if len(self.sent) == self._send_raises:
            raise self.fault
        self.sent.append(message)


class Scripted:
    """An app that does what its script says: reads, sends, swallows a fault of the server, or raises."""

    def __init__(self, steps: list[tuple[str, Any]]) -> None:
        self.steps = steps
        self.got: list[Any] = []
        self.scopes: list[Any] = []
        self.caught: list[BaseException] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self.scopes.append(scope)
        for step, what in self.steps:
            if step == "receive":
                self.got.append(await receive())
            elif step == "send":
                await send(what)
            elif step == "try send":
                try:
                    await send(what)
                except OSError as exc:
                    self.caught.append(exc)
            elif step == "answer in handler":
                try:
                    raise KeyError("handled")
                except KeyError:
                    await send(what)
            elif step == "raise":
                try:
                    raise LookupError("the context")
                except LookupError:
                    raise what from what.__cause__
        return "result"


def run(app: Any, script: Scripted, scope: Any, server: Server) -> tuple[Any, ...]:
    try:
        result: Any = drive(app(scope, server.receive, server.send))
    except BaseException as exc:  # KeyboardInterrupt and all
        result = exc
    return result, script.got, server.sent, server.received, script.caught


ERRORS = [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, StopAsyncIteration, RecursionError, MemoryError]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), st.none()),
        st.tuples(st.sampled_from(["send", "try send", "answer in handler"]), asgi_messages),
    ),
    max_size=6,
)


@given(
    messages=st.lists(asgi_messages, min_size=1, max_size=4),
    script=steps,
    error=st.sampled_from([None, *ERRORS]),
    faults=st.tuples(st.integers(-1, 3), st.integers(-1, 3)),
    stack=layer_stacks,
    socket=st.booleans(),
    rate=st.sampled_from([0.0, 1.0]),
)
def test_messages_results_and_exceptions_are_the_same(
    start: Start,
    messages: list[Any],
    script: list[tuple[str, Any]],
    error: type[BaseException] | None,
    faults: tuple[int, int],
    stack: list[Any],
    socket: bool,
    rate: float,
) -> None:
    start(traces_sample_rate=rate)
    runs = []
    raised = []
    for layers in ([], stack):
        exc = error("boom") if error is not None else None
        raised.append(exc)
        if exc is not None:
            exc.__cause__ = OSError("the cause")
        scripted = Scripted([*script, *([("raise", exc)] if exc is not None else [])])
        server = Server(messages, receive_raises=faults[0], send_raises=faults[1])
        scope = dict(SOCKET if socket else HTTP)
        before = dict(scope)
        result, got, sent, received, caught = run(compose(scripted, *layers), scripted, scope, server)
        assert scripted.scopes[0] is scope
        assert scope == before
        if isinstance(result, BaseException):
            assert result is exc or result is server.fault
            assert "__call__" in [frame.name for frame in traceback.extract_tb(result.__traceback__)]
        shown = repr(result) if isinstance(result, BaseException) else result
        runs.append((shown, [id(m) for m in got], [id(m) for m in sent], received, len(caught)))
        if result is exc and exc is not None:
            assert isinstance(exc.__cause__, OSError)
            assert isinstance(exc.__context__, LookupError)
            assert exc.__context__.__context__ is None
            assert exc.__suppress_context__
            assert innermost(exc) == Scripted.__call__.__code__
    assert runs[0] == runs[1]


def innermost(exc: BaseException) -> Any:
    """The code that raised."""
    tb = exc.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb.tb_frame.f_code if tb is not None else None


@given(scope_type=st.one_of(st.text(max_size=6), st.sampled_from([None, 7, "HTTP"])), stack=layer_stacks)
def test_other_scopes_pass_untouched(start: Start, scope_type: Any, stack: list[Any]) -> None:
    start()
    seen = []

    async def app(*args: Any) -> str:
        seen.append(args)
        return "result"

    scope = {"type": scope_type if scope_type not in {"http", "websocket", "lifespan"} else "other"}
    server = Server([{}])
    receive, send = server.receive, server.send
    assert drive(compose(app, *stack)(scope, receive, send)) == "result"
    assert len(seen) == 1
    assert seen[0][0] is scope
    assert seen[0][1] is receive
    if scope["type"] != "lifespan":  # whose last message waits until what is pending was sent
        assert seen[0][2] is send
    assert list(scope) == ["type"]


def test_a_lifespan_passes_untouched(start: Start) -> None:
    """Its messages are looked at, for what is pending is sent before the last one; none is changed."""
    start()
    steps = [("receive", None), ("send", {"type": "lifespan.startup.complete", "other": [7]})]
    steps += [("receive", None), ("send", {"type": "lifespan.shutdown.complete"})]
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    runs = []
    for layers in ([], LAYERS):
        scope = {"type": "lifespan"}
        scripted, server = Scripted(steps), Server(messages)
        result, got, sent, received, _ = run(compose(scripted, *layers), scripted, scope, server)
        assert scripted.scopes[0] is scope
        assert list(scope) == ["type"]
        runs.append((result, [id(each) for each in got], [id(each) for each in sent], received))
    assert runs[0] == runs[1]
    assert runs[0][0] == "result"
    assert sent == [what for step, what in steps if step == "send"]


@pytest.mark.parametrize("scope", [{}, {"path": "/"}])
def test_a_scope_without_a_type_is_the_apps_to_judge(start: Start, scope: Any) -> None:
    start()

    async def app(scope: Any, receive: Any, send: Any) -> str:
        return "result"

    assert drive(wrap(app)(scope, None, None)) == "result"


@pytest.mark.parametrize(
    "broken",
    [
        {"headers": [(b"only-a-name",)]},
        {"headers": [("sentry-trace", "text"), (b"sentry-trace", "text")]},
        {"headers": 7},
        {"headers": [(b"sentry-trace", b"\xff\x00")]},
        {"headers": [(b"sentry-trace", b"x" * 70_000), (b"baggage", b",=,;" * 20_000)]},
        {"headers": None, "path": None, "query_string": None, "method": None, "server": (), "client": ()},
        {"path": 7, "method": 7, "root_path": 7, "query_string": "text", "client": 7, "server": 7},
        {"method": ["GET"]},
        {"state": None, "extensions": 7, "path_params": 7, "route": 7},
    ],
)
@pytest.mark.parametrize("failing", [False, True])
def test_a_scope_that_breaks_the_protocol_is_the_apps_to_judge(
    start: Start, broken: dict[str, Any], failing: bool
) -> None:
    transport = start()
    scope = {**HTTP, **broken}
    before = dict(scope)
    inside: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> str:
        inside.append(sys.exc_info()[1])
        sentry_sdk.capture_message("hello")
        if failing:
            raise ValueError("boom")
        await send({"type": "http.response.start", "status": 200})
        return "result"

    stack = compose(app, *LAYERS)
    server = Server([{}])
    if failing:
        with pytest.raises(ValueError, match="boom") as info:
            drive(stack(scope, server.receive, server.send))
        assert info.value.__context__ is None
    else:
        assert drive(stack(scope, server.receive, server.send)) == "result"
    assert inside == [None]
    assert scope == before
    assert current() is None
    assert "hello" in [event.get("message") for event in transport.items("event")]


def test_a_scope_that_can_not_be_written_to_is_served(start: Start) -> None:
    start()
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()

    async def app(scope: Any, receive: Any, send: Any) -> str:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom") as info:
        drive(wrap(app)(MappingProxyType(dict(HTTP)), None, None))  # type: ignore[arg-type]
    assert info.value.__context__ is None
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before
    assert current() is None


def test_the_one_key_is_there_within_and_gone_afterwards(start: Start) -> None:
    start()
    inside: list[set[str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.append(set(scope) - set(HTTP))
        scope["mine"] = 1
        if scope.get("fail"):
            raise ValueError("boom")

    scope: dict[str, Any] = dict(HTTP)
    stack = wrap(app)
    for _ in range(3):  # a server may use one scope again
        drive(stack(scope, None, None))  # type: ignore[arg-type]
        assert set(scope) == {*HTTP, "mine"}
        del scope["mine"]
    with pytest.raises(ValueError, match="boom"):
        drive(stack({**scope, "fail": True}, None, None))  # type: ignore[arg-type]
    assert inside[:3] == [{KEY}] * 3


def test_a_copy_of_the_scope_that_outlives_its_request_makes_another_request(start: Start) -> None:
    transport = start()
    kept: list[Any] = []
    records: list[RequestRecord | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.append(dict(scope))
        records.append(current())

    stack = wrap(app)
    drive(stack(dict(HTTP), None, None))  # type: ignore[arg-type]
    drive(stack(kept[0], None, None))  # type: ignore[arg-type]
    assert records[0] is not records[1]
    assert current() is None
    assert len(transactions(transport)) == 2


def test_an_app_called_twice_by_a_retrying_middleware_is_one_request(start: Start) -> None:
    transport = start()
    calls: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("again")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def retrying(app: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except ValueError:
                await app(scope, receive, send)

        return middleware

    stack = compose(app, SentryMiddleware, retrying, UserContextMiddleware)
    server = Server([{}])
    drive(stack(dict(HTTP), server.receive, server.send))
    assert len(calls) == 2
    (root,) = transactions(transport)
    assert root["status"] == 200
    assert transport.items("event") == []


# --- reading and hanging ------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"100000")], [(b"content-type", b"application/json")]])
async def test_an_app_that_reads_receive_itself_gets_each_message_when_it_asks(
    start: Start, headers: list[tuple[bytes, bytes]]
) -> None:
    """Nothing is read ahead: with what the server has not sent yet, an app that was read ahead of would hang."""
    start()
    asked: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert asked == []
        for number in (1, 2, 3):
            message = await receive()
            assert message == {"type": "http.request", "body": b"%d" % number, "more_body": number < 3}
            assert asked == list(range(1, number + 1))
        assert (await receive()) == {"type": "http.disconnect"}

    async def receive() -> Any:
        asked.append(len(asked) + 1)
        number = len(asked)
        if number == 4:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"%d" % number, "more_body": number < 3}

    async def send(_: Any) -> None:
        pass

    with anyio.fail_after(5):
        await compose(app, *LAYERS)({**HTTP, "headers": headers}, receive, send)
    assert asked == [1, 2, 3, 4]


def test_a_layer_hidden_behind_a_closure_copies_the_body_once(start: Start) -> None:
    """It tapped what was tapped already: every chunk was copied twice."""
    copies: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        record = current()
        assert record is not None
        assert record.body is not None
        copies.append(record.body.read())

    def hide(app: Any) -> Any:
        async def closed(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        return closed

    start()
    body = {"type": "http.request", "body": b"abc"}
    for layers in (
        (BodyScrubbingMiddleware, hide, UserContextMiddleware),
        (UserContextMiddleware, hide, BodyScrubbingMiddleware),
        (BodyScrubbingMiddleware, hide, BodyScrubbingMiddleware, hide, HeaderScrubbingMiddleware),
    ):
        server = Server([body])
        drive(compose(app, *layers)(dict(HTTP), server.receive, server.send))
    assert copies == [b"abc"] * 3


# --- exceptions of every kind -------------------------------------------------------------------------------------


def test_an_exception_group_comes_out_whole(start: Start) -> None:
    transport = start()
    group = ExceptionGroup("several", [ValueError("one"), ExceptionGroup("more", [KeyError("two")])])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise group

    with pytest.raises(ExceptionGroup) as info:
        drive(wrap(app)(dict(HTTP), None, None))  # type: ignore[arg-type]
    assert info.value is group
    assert [str(each) for each in group.exceptions] == ["one", "more (1 sub-exception)"]
    assert len(transport.items("event")) == 1


def test_our_frames_add_nothing_to_an_exception_but_themselves(start: Start) -> None:
    start()
    exc = ValueError("boom")
    exc.__notes__ = ["a note"]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise exc

    with pytest.raises(ValueError, match="boom"):
        drive(compose(app, *LAYERS)(dict(HTTP), None, None))  # type: ignore[arg-type]
    assert exc.args == ("boom",)
    assert exc.__notes__ == ["a note"]
    assert exc.__cause__ is None
    assert exc.__context__ is None
    # Version 3 of the SDK marks what it has reported.
    assert {key: value for key, value in vars(exc).items() if key != "_handled_by_sentry"} == {"__notes__": ["a note"]}


def test_one_exception_object_may_be_raised_by_every_request(start: Start) -> None:
    start()
    exc = ValueError("boom")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise exc

    lengths = set()
    for _ in range(3):
        exc.__traceback__ = None
        with pytest.raises(ValueError, match="boom"):
            drive(wrap(app)(dict(HTTP), None, None))  # type: ignore[arg-type]
        lengths.add(len(traceback.extract_tb(exc.__traceback__)))
    assert len(lengths) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, GeneratorExit])
def test_what_is_thrown_into_a_waiting_app_arrives_there(start: Start, error: type[BaseException]) -> None:
    start()
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    arrived: list[BaseException] = []

    class Waiting:
        def __await__(self) -> Any:
            yield "waiting"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await Waiting()
        except BaseException as exc:
            arrived.append(exc)
            raise

    coroutine = compose(app, *LAYERS)(dict(HTTP), None, None)  # type: ignore[arg-type]
    assert coroutine.send(None) == "waiting"
    thrown = error("thrown")
    with pytest.raises(error) as info:
        coroutine.throw(thrown)
    assert info.value is thrown
    # Python itself closes what a coroutine waits for when it is given a `GeneratorExit`, which is another one then.
    assert arrived == [thrown] or (error is GeneratorExit and type(arrived[0]) is error)
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before


def test_an_app_may_swallow_what_is_thrown_into_it(start: Start) -> None:
    start()

    class Waiting:
        def __await__(self) -> Any:
            yield "waiting"

    async def app(scope: Any, receive: Any, send: Any) -> str:
        try:
            await Waiting()
        except KeyboardInterrupt:
            await Waiting()
        return "result"

    coroutine = compose(app, *LAYERS)(dict(HTTP), None, None)  # type: ignore[arg-type]
    coroutine.send(None)
    assert coroutine.throw(KeyboardInterrupt()) == "waiting"
    with pytest.raises(StopIteration) as info:
        coroutine.send(None)
    assert info.value.value == "result"


def test_a_request_closed_before_its_end_leaves_nothing(start: Start) -> None:
    transport = start()
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()

    class Waiting:
        def __await__(self) -> Any:
            yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Waiting()

    scope = dict(HTTP)
    coroutine = wrap(app)(scope, None, None)  # type: ignore[arg-type]
    coroutine.send(None)
    assert KEY in scope
    coroutine.close()
    assert KEY not in scope
    assert current() is None
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before
    assert len(transactions(transport)) == 1
    assert transport.items("event") == []


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["receiving", "sending", "working"])
async def test_cancellation_passes_through(start: Start, where: str) -> None:
    transport = start()
    cancelled: list[BaseException] = []
    came_out: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if where == "receiving":
                await receive()
            elif where == "sending":
                await send({"type": "http.response.start", "status": 200, "headers": []})
            else:
                await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class() as exc:
            cancelled.append(exc)
            raise

    async def forever(*_: Any) -> Any:
        waiting.set()
        await anyio.sleep_forever()

    async def served(scope: Any) -> None:
        try:
            await compose(app, *LAYERS)(scope, forever, forever)
        except BaseException as exc:
            came_out.append(exc)
            raise

    waiting = anyio.Event()
    scope = dict(HTTP)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(served, scope)
            await anyio.wait_all_tasks_blocked()
            assert KEY in scope
            group.cancel_scope.cancel()
    assert len(cancelled) == 1
    assert came_out == cancelled
    assert KEY not in scope
    assert transport.items("event") == []
    assert len(transactions(transport)) == 1


@pytest.mark.anyio
async def test_work_after_the_response_still_belongs_to_the_request(start: Start) -> None:
    transport = start()
    sent: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await anyio.lowlevel.checkpoint()
        assert current() is not None
        raise ValueError("in the background")

    async def send(message: Any) -> None:
        sent.append(message["type"])

    with pytest.raises(ValueError, match="in the background"):
        await compose(app, *LAYERS)(dict(HTTP), None, send)  # type: ignore[arg-type]
    assert sent == ["http.response.start", "http.response.body"]
    (event,) = transport.items("event")
    (root,) = transactions(transport)
    assert event["contexts"]["trace"]["trace_id"] == root["trace_id"]


# --- requests within requests -------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("failing", [False, True])
async def test_a_call_in_process_is_a_request_of_its_own(start: Start, failing: bool) -> None:
    """The scopes of the outer request were forked: its event processor gave its name to the inner one's error."""
    transport = start()
    records: dict[str, RequestRecord | None] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        records[path] = current()
        scope["route"] = path
        if path == "/outer":
            sentry_sdk.set_tag("whose", "outer")
            sentry_sdk.set_user({"id": "outer"})
            sentry_sdk.add_breadcrumb(message="outer")
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=stack), base_url="http://in") as client:
                try:
                    await client.get("/inner")
                except ValueError:
                    assert failing
            assert current() is records["/outer"]
            sentry_sdk.capture_message("after")
        else:
            sentry_sdk.set_tag("inner", "yes")
            sentry_sdk.capture_message("within")
            if failing:
                raise ValueError("inner")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    stack = wrap(app)
    await request(stack, path="/outer")
    assert records["/outer"] is not records["/inner"]
    assert current() is None
    events = {event.get("message") or "inner": event for event in transport.items("event")}
    within, after = events["within"], events["after"]
    assert within["transaction"] == "GET /inner"
    assert after["transaction"] == "GET /outer"
    assert within.get("tags", {}) == {"inner": "yes"}
    assert after["tags"] == {"whose": "outer"}
    assert "user" not in within
    assert "breadcrumbs" not in within or "outer" not in str(within["breadcrumbs"])
    assert ("inner" in events) == failing
    if failing:
        assert events["inner"]["transaction"] == "GET /inner"
    roots = {root["name"]: root for root in transactions(transport)}
    assert set(roots) == {"GET /inner", "GET /outer"}
    assert roots["GET /inner"]["trace_id"] == roots["GET /outer"]["trace_id"]


def test_a_call_in_process_that_is_excluded_leaves_the_outer_session(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/health":
            await stack({**HTTP, "path": "/health"}, receive, send)

    stack = wrap(app)
    drive(stack(dict(HTTP), None, None))  # type: ignore[arg-type]
    sentry_sdk.get_client().session_flusher.flush()
    counts = [one for item in transport.items("sessions") for one in item["aggregates"]]
    assert [one["exited"] for one in counts] == [1]


# --- what can't be seen of us -------------------------------------------------------------------------------------


def test_a_logging_filter_that_raises_does_not_reach_the_app(start: Start) -> None:
    start()

    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("in the filter")

    def broken(_: Any) -> Any:
        raise ValueError("in resolve")

    async def app(scope: Any, receive: Any, send: Any) -> str:
        sentry_sdk.capture_message("hello")
        return "result"

    logger = logging.getLogger("asgi_sentry")
    broken_filter = Broken()
    logger.addFilter(broken_filter)
    try:
        stack = compose(app, partial(UserContextMiddleware, resolve=broken))
        assert drive(stack(dict(HTTP), None, None)) == "result"  # type: ignore[arg-type]
    finally:
        logger.removeFilter(broken_filter)


def test_without_a_client_a_stack_is_the_app(mode: str) -> None:
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.append(args)

    scope, server = dict(HTTP), Server([{}])
    receive, send = server.receive, server.send
    drive(compose(app, *LAYERS)(scope, receive, send))
    assert seen == [(scope, receive, send)]
    assert seen[0][1] is receive
    assert seen[0][2] is send


def test_receive_and_send_are_functions_without_a_telling_repr(start: Start) -> None:
    """The SDK's integrations put `str(send)` into the descriptions of spans."""
    start()
    shown: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        shown.extend([repr(receive), repr(send), repr(scope[KEY])])

    drive(compose(app, *LAYERS)({**HTTP, "query_string": b"token=s3cr3t"}, None, None))  # type: ignore[arg-type]
    assert "s3cr3t" not in " ".join(shown)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_an_abandoned_request_that_is_collected_within_another_leaves_that_one_alone(start: Start, rate: float) -> None:
    """Closing restores the surroundings of the abandoned one, which were not those of whoever runs now."""
    transport = start(traces_sample_rate=rate)
    import contextvars

    class Waiting:
        def __await__(self) -> Any:
            yield

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        await Waiting()

    abandoned: list[Any] = [wrap(waiting)(dict(HTTP), None, None)]  # type: ignore[arg-type]
    contextvars.copy_context().run(abandoned[0].send, None)
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.set_tag("mine", "yes")
        before = current(), sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope()
        abandoned.clear()
        gc.collect()
        found.append(before == (current(), sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope()))
        sentry_sdk.capture_message("still mine")

    drive(wrap(app)({**HTTP, "path": "/second"}, None, None))  # type: ignore[arg-type]
    assert found == [True]
    (event,) = transport.items("event")
    assert event["tags"] == {"mine": "yes"}
    assert current() is None
