"""What is relied on of sentry-sdk beyond its public surface: a release that moves any of it fails here, by name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import warnings
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatch
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk import transport as sdk_transport
from sentry_sdk.integrations import asgi as sdk_asgi
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.serializer import serialize
from sentry_sdk.session import Session
from sentry_sdk.tracing_utils import Baggage, PropagationContext, _generate_sample_rand

from asgi_sentry import PathSamplingMiddleware, SentryMiddleware, compose
from asgi_sentry import _sdk as sdk
from asgi_sentry._request import record
from asgi_sentry._sdk import classic, names, scopes, sessions, unsent
from asgi_sentry._sdk.baggage import parsed_baggage
from asgi_sentry._sdk.client_view import view_of
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, Start, mode_options, transactions
from tests.strategies import baggage_headers, trace_headers

V3 = sentry_sdk.VERSION.startswith("3")
classic_only = pytest.mark.skipif(V3, reason="version 3 of the SDK only streams")
TRACE = "d49d9bf66f13450b81f65bc51cf49c03"


@pytest.mark.parametrize(
    "name",
    [
        *("_span", "_propagation_context", "_event_processors", "_session", "_force_auto_session_tracking"),
        *("_breadcrumbs", "_n_breadcrumbs_truncated", "_tags", "_user"),
    ],
)
def test_a_scope_has(name: str) -> None:
    assert hasattr(sentry_sdk.get_isolation_scope(), name)


def test_the_client_has_what_a_view_reads(start: Start) -> None:
    start()
    client = sentry_sdk.get_client()
    for name in ("transport", "options", "monitor", "session_flusher", "spotlight", "integrations", "parsed_dsn"):
        assert hasattr(client, name), name
    for option in ("in_app_exclude", "in_app_include", "project_root", "max_value_length", "traces_sampler"):
        assert option in client.options, option


# --- the view of the client ---------------------------------------------------------------------------------------


def test_a_view_is_of_the_client_that_is_there_now(start: Start, mode: str) -> None:
    assert sdk.view() is None
    start(traces_sample_rate=0.25)
    first = sdk.view()
    assert first is not None
    assert first is sdk.view()
    assert (first.rate, first.tracing, first.streaming) == (0.25, True, mode == "stream" or V3)
    start(traces_sample_rate=None)
    second = sdk.view()
    assert second is not None
    assert second is not first
    assert not second.tracing
    sentry_sdk.get_client().close(timeout=0)
    assert sdk.view() is None


def test_a_view_is_of_the_client_of_a_scope_that_has_its_own(start: Start) -> None:
    start()
    everywhere = sdk.view()
    assert everywhere is not None
    own = sentry_sdk.Client(DSN, transport=RecordingTransport())
    for scope in (sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope()):
        before, scope.client = scope.client, own
        assert sdk.view().client is sentry_sdk.get_client() is own  # type: ignore[union-attr]
        scope.client = before
    assert sdk.view().client is everywhere.client  # type: ignore[union-attr]


def test_a_profiler_is_expected_only_where_one_was_asked_for(start: Start) -> None:
    def profiled(**options: Any) -> bool:
        start(**options)
        view = sdk.view()
        assert view is not None
        return view.profiled

    assert not profiled()
    for option, value in (
        ("profiles_sample_rate", 0.5),
        ("profiles_sampler", lambda _: 0.5),
        ("profile_session_sample_rate", 0.5),
        ("profile_lifecycle", "trace"),
    ):
        if sdk.supports(option):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what profiles in another mode, or will be gone
                assert profiled(**{option: value}), option
    assert profiled(_experiments={"continuous_profiling_auto_start": True})


def test_the_mode_is_told_from_options(mode: str) -> None:
    assert sdk.streams(mode_options(mode)) == (V3 or mode == "stream")
    assert sdk.supports("before_send")
    assert not sdk.supports("no_such_option")


def test_our_framework_integrations_are_those_of_the_sdk() -> None:
    found = sdk.framework_integrations()
    assert [each.__name__ for each in found] == ["StarletteIntegration", "FastApiIntegration", "LitestarIntegration"]


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("in_loop", [False, True])
@pytest.mark.parametrize("integration", [False, True])
def test_the_default_transport_is_the_sdks(http2: bool, asynchronous: bool, in_loop: bool, integration: bool) -> None:
    from sentry_sdk.integrations.asyncio import AsyncioIntegration

    options: dict[str, Any] = {
        **names.DEFAULT_OPTIONS,
        "dsn": None,
        "transport": None,
        "_experiments": {"transport_http2": http2, "transport_async": asynchronous},
        "integrations": [AsyncioIntegration()] if integration else [],
    }

    def both() -> tuple[Any, Any]:
        # What `make_transport` would make an instance of, without making one.
        taken: list[Any] = []
        names = {"HttpTransport", "Http2Transport", "AsyncHttpTransport"} & {*vars(sdk_transport)}
        saved = {name: getattr(sdk_transport, name) for name in names}
        try:
            for name, cls in saved.items():
                setattr(sdk_transport, name, lambda _, cls=cls: taken.append(cls))
            sdk_transport.make_transport({**options, "dsn": DSN})
        finally:
            for name, cls in saved.items():
                setattr(sdk_transport, name, cls)
        return sdk.default_transport(options), taken[0]

    async def main() -> tuple[Any, Any]:
        return both()

    ours, theirs = asyncio.run(main()) if in_loop else both()
    assert ours is theirs


def test_our_log_lines_are_no_events_breadcrumbs_or_logs() -> None:
    from sentry_sdk.integrations import logging as sdk_logging

    lists = [each for name, each in vars(sdk_logging).items() if name.startswith("_IGNORED_LOGGERS")]
    assert lists
    for name in ("asgi_sentry", "asgi_sentry._paths", "asgi_sentry._request.error_policy"):
        assert all(any(fnmatch(name, pattern) for pattern in each) for each in lists)


# --- scopes -------------------------------------------------------------------------------------------------------


def noting(name: str, order: list[str] | None = None) -> Any:
    def process(event: Any, hint: Any) -> Any:
        if order is not None:
            order.append(name)
        return event

    return process


def asking(name: str, order: list[str] | None = None, **known: Any) -> Any:
    """An owner of scopes, of which they ask what is known of their request."""
    known = {"context": sdk.TraceContext(), "unsampled": False, **known}
    return SimpleNamespace(process=noting(name, order), **known)


def test_a_request_forks_and_restores(start: Start) -> None:
    start()
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    owner = asking("ours")
    scopes = sdk.Scopes(owner)
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == (scopes.current, scopes.isolation)
    assert sdk.OWNER is sdk_asgi._asgi_middleware_applied
    assert sdk.OWNER.get(False) is owner
    scopes.leave()
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before
    assert not sdk.OWNER.get(False)


def test_our_processor_is_the_last_one_however_many_there_are(start: Start) -> None:
    """`add_event_processor` throws all of them away where there are more than twenty."""
    transport = start()
    order: list[str] = []
    around = sentry_sdk.get_current_scope()._event_processors
    for number in range(30):
        around.append(noting(str(number), order))
    sentry_sdk.get_global_scope()._event_processors.append(noting("global", order))
    scopes = sdk.Scopes(asking("ours", order))
    scopes.isolation._event_processors.append(noting("isolation", order))
    assert len(around) == 30
    assert sdk.processors(scopes.current)[-1].__qualname__.endswith("process")
    sentry_sdk.capture_message("hello")
    scopes.leave()
    assert len(transport.items("event")) == 1
    assert order[-1] == "ours"
    assert set(order) == {*map(str, range(30)), "global", "isolation", "ours"}


@classic_only
@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("own", ["the SDK's", "a class's", "an object's"])
def test_losses_are_counted_as_the_transport_counts_them(
    monkeypatch: pytest.MonkeyPatch, reports: bool, own: str
) -> None:
    """Into its own dictionary where its own method would do no more; whoever has a method of his own is called."""
    told: list[Any] = []

    class Telling(sdk_transport.HttpTransport):
        def record_lost_event(self, *given: Any, **named: Any) -> None:
            told.append(given)

    kind = Telling if own == "a class's" else sdk_transport.HttpTransport
    client = sentry_sdk.Client(DSN, transport=kind, send_client_reports=reports, default_integrations=False)
    if own == "an object's":
        monkeypatch.setattr(client.transport, "record_lost_event", lambda *given, **named: told.append(given))
    root = classic.UnsampledRoot(view_of(client), "sample_rate")
    root.finish(None)
    root.finish(None)
    counted: Any = client.transport._discarded_events  # type: ignore[union-attr]
    client.close(timeout=0)
    if own == "the SDK's":
        of_two = {("transaction", "sample_rate"): 2, ("span", "sample_rate"): 2}
        assert dict(counted) == (of_two if reports else {})
        assert told == []
    else:
        assert not counted
        assert told == [("sample_rate", "transaction"), ("sample_rate", "span")] * 2


def test_a_session_of_ours_has_what_the_sdks_has(start: Start) -> None:
    start()
    view = sdk.view()
    assert view is not None
    before = datetime.now(timezone.utc)
    ours = sessions.RequestSession(view)
    theirs = Session(session_mode="request", release="app@1", environment="production")
    for name in vars(theirs).keys() - {"sid", "started", "timestamp"}:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.sid.version != theirs.sid.version  # never sent
    assert before - timedelta(milliseconds=1) <= ours.started <= datetime.now(timezone.utc)
    assert ours.started == ours.timestamp
    assert ours.truncated_started.second == 0
    assert ours.to_json().keys() == theirs.to_json().keys()
    ours.update(user={"id": 1}, errors=1, started=before)
    assert (ours.did, ours.errors, ours.started) == ("1", 1, before)


def test_a_session_that_is_made_late_began_with_its_request(start: Start) -> None:
    start()
    view = sdk.view()
    assert view is not None
    owner = asking("ours", view=view, began=time.monotonic() - 120)
    made = scopes.Scopes(owner)
    try:
        made.start_session(view, owner.began)
        session: Any = sentry_sdk.get_isolation_scope()._session
        assert session is sentry_sdk.get_isolation_scope()._session
        assert 119 < (datetime.now(timezone.utc) - session.started).total_seconds() < 121
        made.drop_session()
        assert sentry_sdk.get_isolation_scope()._session is None
    finally:
        made.leave()


@pytest.mark.anyio
@pytest.mark.parametrize("touch", ["nothing", "reads", "ends", "clears", "forks"])
async def test_a_session_is_counted_once_whatever_the_app_does_with_it(start: Start, touch: str) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        isolation = sentry_sdk.get_isolation_scope()
        if touch == "reads":
            assert isolation._session is not None
        elif touch == "ends":
            isolation.end_session()
        elif touch == "clears":
            isolation.clear()
        elif touch == "forks":
            with sentry_sdk.isolation_scope() as inner:
                assert inner._session is isolation._session

    await request(SentryMiddleware(app))
    sentry_sdk.get_client().session_flusher.flush()
    sent = [part for item in transport.items("sessions") for part in item.get("aggregates", [item])]
    assert len(sent) == (touch != "clears")


@pytest.mark.anyio
async def test_sessions_are_counted_as_the_sdk_counts_them(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends well, with an error, or crashing, in one minute or several, before a flush or after it."""
    now = [1_000_020.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: now[0], monotonic=lambda: now[0] - 5_000))
    monkeypatch.setattr(record, "monotonic", lambda: now[0] - 5_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/error":
            sentry_sdk.capture_message("no", level="error")
            sentry_sdk.capture_exception(KeyError())
        if scope["path"] == "/crash":
            raise ValueError("boom")

    def counted(transport: RecordingTransport) -> list[Any]:
        sentry_sdk.get_client().session_flusher.flush()
        return [item["aggregates"] for item in transport.items("sessions")]

    found = []
    for ours in (True, False):
        transport = start()
        if not ours:

            def add(view: Any, session: Any) -> None:
                view.client.session_flusher.add_session(session)

            monkeypatch.setattr(scopes, "count_session", add)
            monkeypatch.setattr(
                scopes, "count_well", lambda view, began: add(view, sessions.RequestSession(view, began))
            )
        for step in (0, 20, 61, 61.5):
            now[0] = 1_000_020.0 + step
            for path in ("/", "/", "/error", "/", "/crash", "/"):
                with contextlib.suppress(ValueError):
                    await request(SentryMiddleware(app), path=path)
            if step == 20:
                counted(transport)
        found.append(counted(transport))
    assert found[0] == found[1]
    assert [part["exited"] for item in found[0] for part in item] == [8, 8]
    assert [part["crashed"] for item in found[0] for part in item] == [2, 2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.anyio
async def test_a_fork_counts_its_sessions_by_a_flusher_of_its_own(start: Start) -> None:
    start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    await request(SentryMiddleware(app))
    assert sessions._bucket is not None
    sessions.forget_bucket()
    assert sessions._bucket is None
    calls = []
    flusher = sentry_sdk.get_client().session_flusher
    original, flusher.add_session = flusher.add_session, lambda session: calls.append(original(session))
    for _ in range(3):
        await request(SentryMiddleware(app))
    assert len(calls) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("outside", [False, True])
async def test_the_sdks_own_middleware_starts_nothing_beside_ours(start: Start, outside: bool) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "/x"
        await send({"type": "http.response.start", "status": 200, "headers": []})

    layers = (SentryAsgiMiddleware, SentryMiddleware) if outside else (SentryMiddleware, SentryAsgiMiddleware)
    stack = compose(app, *layers)
    await request(stack)
    (root,) = transactions(transport)
    assert root["name"] == "GET /x"
    assert [each for each in transport.lost if each[1] in {"transaction", "span"}] == []


# --- traces -------------------------------------------------------------------------------------------------------


def incoming(header: str | None, baggage: str | None) -> PropagationContext:
    return PropagationContext.from_incoming_data({"sentry-trace": header, "baggage": baggage} if header else {})


def raw(header: str | None, baggage: str | None) -> list[tuple[bytes, bytes]]:
    pairs = ((b"x-other", "1"), (b"sentry-trace", header), (b"baggage", baggage))
    return [(name, value.encode("latin-1")) for name, value in pairs if value is not None]


def items_of(context: PropagationContext) -> tuple[Any, Any]:
    """What came in by the baggage; the dice, which the SDK puts there as well, have a test of their own."""
    baggage = context.baggage or Baggage({})
    items = {key: value for key, value in baggage.sentry_items.items() if key != "sample_rand"}
    return items, baggage.third_party_items


@given(header=trace_headers, baggage=baggage_headers)
def test_a_trace_is_read_as_the_sdk_reads_it(start: Start, header: str | None, baggage: str | None) -> None:
    start()
    view = sdk.view()
    assert view is not None
    ours, theirs = sdk.TraceContext(view, raw(header, baggage)), incoming(header, baggage)
    assert ours.parent_span_id == theirs.parent_span_id
    assert ours.parent_sampled == theirs.parent_sampled
    if theirs.parent_span_id is not None:
        assert ours.trace_id == theirs.trace_id
        assert items_of(ours) == items_of(theirs)


@given(
    header=baggage_headers.filter(bool)
    | st.text(st.sampled_from("sentry-=,% \tab25C3é;"), max_size=40).map(lambda text: f"a=1,{text}, sentry-x-y=%41")
)
def test_baggage_is_parsed_as_the_sdk_parses_it(header: str) -> None:
    ours, theirs = parsed_baggage(header), Baggage.from_incoming_header(header)
    for name in Baggage.__slots__:
        assert getattr(ours, name) == getattr(theirs, name), name


@given(number=st.integers(0, 2**128 - 1), rand=st.none() | st.integers(0, 999_999))
def test_the_dice_are_the_sdks(start: Start, number: int, rand: int | None) -> None:
    start()
    view = sdk.view()
    assert view is not None
    trace = f"{number:032x}"
    baggage = None if rand is None else f"other=1,sentry-trace_id={trace},sentry-sample_rand=0.{rand:06d}"
    dice = sdk.TraceContext(view, raw(f"{trace}-{1:016x}", baggage)).rand()
    assert dice == (_generate_sample_rand(trace) if rand is None else pytest.approx(rand / 1e6))
    theirs = incoming(f"{trace}-{1:016x}", baggage).baggage
    if theirs is not None:
        assert float(theirs.sentry_items["sample_rand"]) == pytest.approx(dice, abs=1e-6)


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("header", [None, f"{TRACE}-{1:016x}-1", f"{TRACE}-{1:016x}"])
def test_what_goes_out_has_the_decision_and_the_trace(start: Start, sampled: bool, header: str | None) -> None:
    start(traces_sample_rate=1.0)
    stack_rate = 1.0 if sampled else 0.0
    out: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        out["traceparent"] = sentry_sdk.get_traceparent()
        out["baggage"] = sentry_sdk.get_baggage()
        out["headers"] = dict(sentry_sdk.get_current_scope().iter_trace_propagation_headers())

    layer = partial(PathSamplingMiddleware, rates={"/**": stack_rate}, parent="ignore")
    anyio.run(partial(request, compose(app, layer), headers=[("sentry-trace", header)] if header else []))
    trace, _, flag = out["traceparent"].split("-")
    assert flag == str(int(sampled))
    if header:
        assert trace == TRACE
    assert out["headers"]["sentry-trace"].split("-")[::2] == [trace, flag]
    items = dict(part.split("=") for part in out["baggage"].split(",")) if out["baggage"] else {}
    if not header:
        assert items["sentry-trace_id"] == trace
        assert items["sentry-sampled"] == str(sampled).lower()
        assert items["sentry-release"] == "app%401"


@pytest.mark.anyio
async def test_an_envelope_has_the_items_of_the_sdks_dynamic_sampling_context(mode: str) -> None:
    """https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/."""
    import asgi_sentry

    found = []
    for ours in (True, False):
        transport = RecordingTransport()
        options = {"traces_sample_rate": 1.0, "release": "app@1", **mode_options(mode)}
        if ours:
            asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport, **options)
        else:
            sentry_sdk.init(dsn=DSN, transport=transport, disabled_integrations=sdk.framework_integrations(), **options)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        stack = compose(app, SentryMiddleware) if ours else SentryAsgiMiddleware(app)
        await request(stack, path="/x")
        sentry_sdk.flush()
        (envelope,) = [each for each in transport.envelopes if each.items[0].type in {"transaction", "span"}]
        found.append(envelope.headers["trace"])
    ours_, theirs_ = found
    # They call their URL a route in classic mode only once a framework names it; a name of low quality is left out.
    assert set(theirs_) - {"transaction"} <= set(ours_) | {"org_id"}
    for key in ("public_key", "release", "environment", "sampled", "sample_rate"):
        assert str(ours_.get(key)) == str(theirs_.get(key)), key
    assert 0 <= float(ours_["sample_rand"]) < 1


# --- the unsampled span, as integrations and app code use it ------------------------------------------------------


def unsampled_span() -> Any:
    context = sdk.TraceContext()
    context.sampled, context.rate = False, 0.0
    return unsent.UnsampledSpan(context)


@classic_only
def test_it_has_every_attribute_of_a_span(start: Start) -> None:
    start()
    model = names.NoOpSpan()
    ours = unsampled_span()
    for name in dir(model):
        if name in {"_trace_id", "_span_id"}:  # behind the properties without the underscore
            continue
        try:
            value = getattr(model, name)
        except AttributeError:
            continue
        mine = getattr(ours, name)
        assert callable(mine) == callable(value), name


@classic_only
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("set_data", ("k", "v")),
        ("update_data", ({"k": "v"},)),
        ("set_tag", ("k", "v")),
        ("set_status", ("ok",)),
        ("set_http_status", (500,)),
        ("set_measurement", ("m", 1.0, "ms")),
        ("set_context", ("c", {})),
        ("set_thread", (1, "t")),
        ("set_profiler_id", ("p",)),
        ("set_flag", ("f", True)),
        ("is_success", ()),
        ("to_json", ()),
        ("get_trace_context", ()),
        ("get_profile_context", ()),
        ("finish", ()),
        ("update_active_thread", ()),
    ],
)
def test_it_takes_every_call_as_the_sdks_no_op_does(start: Start, name: str, args: tuple[Any, ...]) -> None:
    start()
    model = names.NoOpSpan()
    if not hasattr(model, name):
        pytest.skip("the SDK has no such method")
    assert type(getattr(unsampled_span(), name)(*args)) is type(getattr(model, name)(*args))


@classic_only
def test_it_keeps_what_is_set_on_it_apart_from_other_requests(start: Start) -> None:
    start()
    one, other = unsampled_span(), unsampled_span()
    one.description = one.op = one.name = one.status = "x"
    one.sampled = False
    one.set_data("k", "v")
    assert other.description is None
    assert other.op is None
    assert not other._data
    assert not other._tags


@classic_only
@pytest.mark.anyio
async def test_integrations_meet_it_as_any_span(start: Start, mode: str) -> None:
    if mode == "stream":
        pytest.skip("in streaming mode there is a span of the SDK's in its place")
    from sentry_sdk.tracing_utils import record_sql_queries

    transport = start(traces_sample_rate=0.0)
    done: list[str] = []

    class Cursor:
        connection = None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with sentry_sdk.start_span(op="http.client", name="GET /") as span:
            span.set_data("url", "u")
            headers = dict(sentry_sdk.get_current_scope().iter_trace_propagation_headers(span=span))
            assert headers["sentry-trace"].endswith("-0")
            with span.start_child(op="inner", name="x") as inner:
                assert inner.to_traceparent().endswith("-0")
                with sentry_sdk.start_span(op="innermost"):
                    pass
            span.set_http_status(200)
        with record_sql_queries(Cursor(), "SELECT 1", None, None, executemany=False) as span:
            span.set_data("rows", 1)
        with sentry_sdk.start_transaction(name="own") as transaction:
            transaction.set_tag("a", "b")
            with transaction.start_child(op="x"):
                pass
        assert sentry_sdk.get_current_span() is not None
        sentry_sdk.get_current_scope().set_transaction_name("named")
        sentry_sdk.set_measurement("m", 1)
        sentry_sdk.capture_message("hello")
        done.append("all")

    await request(compose(app, SentryMiddleware))
    assert done == ["all"]
    (event,) = transport.items("event")
    assert event["contexts"]["trace"]["trace_id"]


@pytest.mark.anyio
@pytest.mark.parametrize("rate", [0.0, 1.0])
async def test_public_calls_on_spans_work_in_every_request(start: Start, mode: str, rate: float) -> None:
    start(traces_sample_rate=rate)
    done: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with sdk.span("op", "outer"):
            with sdk.span("op", "inner", active=False):
                pass
            with pytest.raises(ValueError, match="boom"), sdk.span("op", "failing"):
                raise ValueError("boom")
        if mode == "stream" or V3:
            with sentry_sdk.traces.start_span("public", attributes={"a": 1}) as span:
                span.set_attribute("b", 2)
                span.status = "error"
        sentry_sdk.continue_trace({})
        sentry_sdk.get_current_span()
        done.append("all")

    await request(compose(app, SentryMiddleware))
    assert done == ["all"]


def test_a_span_outside_of_any_trace_is_nothing(start: Start) -> None:
    with sdk.span("op", "without a client"):
        pass
    transport = start()
    with sdk.span("op", "without a trace"):
        pass
    assert transactions(transport) == []


# --- how roots end ------------------------------------------------------------------------------------------------


def root_of(mode: str, *, sampled: bool, undecided: bool = False) -> tuple[sdk.Scopes, Any]:
    view = sdk.view()
    assert view is not None
    context = sdk.TraceContext(view)
    owner = asking("ours", view=view, context=context)
    scopes = sdk.Scopes(owner)
    scope = {"type": "http", "path": "/", "headers": []}
    root = sdk.start_root(
        view,
        scopes,
        context,
        sampled=sampled,
        rate=0.5,
        reason="sample_rate",
        op="http.server",
        name="GET <unmatched>",
        asgi_scope=scope,
        undecided=undecided,
    )
    owner.unsampled = not root.has_span
    return scopes, root


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("undecided", [False, True])
def test_a_root_that_is_taken_back_leaves_no_trace(start: Start, mode: str, sampled: bool, undecided: bool) -> None:
    transport = start()
    scopes, root = root_of(mode, sampled=sampled, undecided=undecided)
    with sdk.span("op", "child"):
        pass
    transport.clear()
    root.discard()
    scopes.leave()
    assert transactions(transport) == []
    assert transport.lost == []


def test_a_root_that_is_not_sampled_is_counted_as_the_sdk_counts_a_rate_of_0(start: Start, mode: str) -> None:
    transport = start(traces_sample_rate=0.0)
    scopes, root = root_of(mode, sampled=False)
    root.finish(None)
    scopes.leave()
    ours = sorted(transport.lost)
    transport.clear()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    anyio.run(request, SentryAsgiMiddleware(app))
    theirs = sorted(transport.lost)
    assert ours == theirs
    assert ours


def test_a_sampled_root_is_sent_once_with_its_status(start: Start, mode: str) -> None:
    transport = start()
    scopes, root = root_of(mode, sampled=True)
    assert root.sampled
    assert root.recording
    root.name, root.source = "GET /x", "route"
    assert (root.name, root.source) == ("GET /x", "route")
    root.set_status(503)
    root.set_attributes({"http.request.method": "GET"})
    root.finish(None)
    scopes.leave()
    (sent,) = transactions(transport)
    assert (sent["name"], sent["source"], sent["status"]) == ("GET /x", "route", 503)
    assert transport.lost == []


@classic_only
def test_a_root_that_was_kept_late_travels_with_its_rate(start: Start, mode: str) -> None:
    if mode == "stream":
        pytest.skip("a streamed span is on its way by then")
    transport = start()
    scopes, root = root_of("classic", sampled=False, undecided=True)
    assert not root.sampled
    assert root.recording
    with sentry_sdk.start_span(op="op", name="child"):
        assert (sentry_sdk.get_traceparent() or "").endswith("-0")
    root.keep(0.25)
    root.finish(None)
    scopes.leave()
    (sent,) = transport.items("transaction")
    assert [span["description"] for span in sent["spans"]] == ["child"]
    assert transport.envelopes[-1].headers["trace"]["sample_rate"] == "0.25"


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_our_frames_are_hidden_and_the_apps_are_there(start: Start) -> None:
    transport = start()

    async def failing_app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await request(compose(failing_app, SentryMiddleware))
    (event,) = transport.items("event")
    (value,) = event["exception"]["values"]
    frames = [frame["module"] for frame in value["stacktrace"]["frames"]]
    assert not [module for module in frames if module.startswith("asgi_sentry._middleware")]
    assert value["stacktrace"]["frames"][-1]["function"] == "failing_app"
    assert value["mechanism"].items() >= {"type": "asgi", "handled": False}.items()


# --- the serializer -----------------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(extra=st.dictionaries(st.text(max_size=5), plain, max_size=4))
def test_what_is_plain_serializes_as_the_sdk_does_it(start: Start, extra: dict[str, Any]) -> None:
    start()
    event = {"message": "m", "tags": extra}
    limit = sentry_sdk.get_client().options["max_value_length"] or 10**9
    assert sdk.serialized(event) == serialize(event, max_request_body_size="always", max_value_length=limit)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", object, {1, 2}, 1j])
def test_what_is_not_plain_goes_to_the_sdk(start: Start, value: Any) -> None:
    start()
    limit = sentry_sdk.get_client().options["max_value_length"] or 10**9
    event = {"extra": {"a": value}}
    expected = serialize(event, max_request_body_size="always", max_value_length=limit)
    assert str(sdk.serialized(event)) == str(expected)


def test_baggage_is_built_as_we_build_it() -> None:
    baggage = Baggage({"sample_rand": "0.5"})
    assert baggage.sentry_items == {"sample_rand": "0.5"}
    assert baggage.mutable


# --- backpressure -------------------------------------------------------------------------------------------------


def pressed(**attributes: Any) -> Any:
    """A monitor of another release, which halves every rate twice."""
    return type("Monitor", (), {"downsample_factor": 2, "kill": lambda _: None, **attributes})()


@pytest.mark.parametrize(
    ("monitor", "halvings"),
    [(None, 0), (pressed(), 2), (pressed(_downsample_factor=2), 2), (pressed(_downsample_factor="two"), 2)],
    ids=["off", "kept elsewhere", "as it is", "another kind"],
)
def test_rates_are_halved_as_the_monitor_has_it_wherever_it_keeps_that(monitor: Any, halvings: int) -> None:
    client = sentry_sdk.Client(DSN, transport=RecordingTransport, default_integrations=False)
    client.monitor = monitor
    assert view_of(client).downsample() == halvings
    client.close(timeout=0)


def test_the_sdks_monitor_keeps_it_where_it_is_read(start: Start) -> None:
    start()
    monitor, view = sentry_sdk.get_client().monitor, sdk.view()
    assert view is not None
    assert view.monitor is monitor
    monitor._healthy = False
    monitor.set_downsample_factor()
    assert view.downsample() == monitor.downsample_factor == 1
