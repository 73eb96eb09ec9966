"""Law 9: the app never pays for our faults, nor for those of callbacks; what can't be scrubbed is not sent."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import (
    BodyScrubbingMiddleware,
    ErrorPolicyMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    Scrubber,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    capture_exception,
    capture_message,
    compose,
    counters,
    set_user_context,
    trace_function,
    wrap,
)
from asgi_sentry import _faults as faults_module
from asgi_sentry._request.record import RequestRecord, current
from asgi_sentry._sdk import supports
from asgi_sentry.keep import KeepRule
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import Start, transactions
from tests.strategies import Clock

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-in-the-exception"
COOKIE = uuid.uuid4().hex  # not one that stands in a source line, which is sent


class Odd(Exception):
    """An exception that can't even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class PanicException(BaseException):
    """What code in Rust raises through pyo3 when it panics: no `Exception`, and no signal either."""


ERRORS = [ValueError(SECRET), Odd(), StopIteration(SECRET), PanicException(SECRET)]


def raising(error: BaseException) -> Callable[..., Any]:
    def callback(*_: Any, **__: Any) -> Any:
        raise error

    return callback


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does all that callbacks are called for."""
    scope["route"] = "/x"
    await receive()
    set_user_context("u1")
    sentry_sdk.add_breadcrumb(message="crumb")
    capture_message("hello")
    trace_function(child)()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answer"})


def child() -> None:
    """A span of the app's."""


async def answer(stack: Any) -> None:
    """The app answers as ever, and what surrounds it is left alone."""
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    headers = [("cookie", f"session={COOKIE}"), ("content-type", "application/json"), ("user-agent", "probe")]
    response = await request(stack, "POST", "/p", headers=headers, body=b'{"a": "%s"}' % COOKIE.encode(), query=b"a=b")
    assert (response.status, response.body) == (200, b"answer")
    assert current() is None
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before
    sentry_sdk.flush()


def check_log(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record for record in caplog.records if record.name.startswith("asgi_sentry")]
    shown = [logging.Formatter().format(record) for record in lines if record.levelno > logging.DEBUG]
    assert SECRET not in "".join(shown)
    return shown


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
class TestCallbacks:
    """Each raises; the app does not notice."""

    async def test_resolve(self, start: Start, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
        transport = start()
        await answer(wrap_with(partial(UserContextMiddleware, resolve=raising(error))))
        assert any("resolve failed" in line for line in check_log(caplog))
        (event,) = transport.items("event")
        assert event["user"] == {"id": "u1"}
        assert len(transactions(transport)) == 1

    async def test_traces_sampler(self, start: Start, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
        transport = start(traces_sampler=raising(error))
        await answer(wrap(app))
        assert any("traces_sampler failed" in line for line in check_log(caplog))
        assert transactions(transport) == []
        assert len(transport.items("event")) == 1

    async def test_callable_path_rules(self, start: Start, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
        transport = start()
        stack = wrap_with(
            partial(TransactionFilterMiddleware, exclude=(raising(error),)),
            partial(PathSamplingMiddleware, rates={raising(error): 0.0}),
        )
        await answer(stack)
        assert len(check_log(caplog)) >= 2
        assert len(transactions(transport)) == 1

    @pytest.mark.parametrize(
        "hook", ["before_send", "before_breadcrumb", "before_send_transaction", "before_send_span"]
    )
    async def test_hooks_of_the_sdk(
        self, start: Start, mode: str, error: Exception, hook: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        if not supports(hook) or (hook == "before_send_span" and mode == "classic"):
            pytest.skip("the SDK has no such hook")
        transport = start(**{hook: raising(error)})
        await answer(wrap(app))
        check_log(caplog)
        if hook == "before_send":  # what a hook for errors fails on is not sent
            assert transport.items("event") == []
            assert [quantity for _, category, quantity in transport.lost if category == "error"] == [1]
        else:
            assert len(transport.items("event")) == 1

    @pytest.mark.parametrize("hook", ["before_send_log", "before_send_metric"])
    async def test_hooks_of_telemetry(self, start: Start, error: Exception, hook: str) -> None:
        if not supports(hook):
            pytest.skip("the SDK has no such hook")
        options = {"enable_logs": True} if supports("enable_logs") else {}
        start(**{hook: raising(error)}, **options)

        async def logging_app(scope: Any, receive: Any, send: Any) -> None:
            sentry_sdk.logger.info("a log")
            sentry_sdk.metrics.count("metric", 1)
            await app(scope, receive, send)

        await answer(wrap(logging_app))

    async def test_on_redact(self, start: Start, error: Exception) -> None:
        transport = start()
        own = Scrubber(on_redact=raising(error))
        layers = (partial(HeaderScrubbingMiddleware, scrubber=own), partial(BodyScrubbingMiddleware, scrubber=own))
        await answer(wrap_with(*layers))
        (event,) = transport.items("event")
        assert event["request"]["cookies"] == {"session": "[Filtered]"}

    async def test_an_event_processor(self, start: Start, error: Exception) -> None:
        transport = start()
        sentry_sdk.get_global_scope().add_event_processor(raising(error))
        await answer(wrap(app))
        lost = sum(quantity for _, category, quantity in transport.lost if category == "error")
        assert len(transport.items("event")) + lost == 1  # version 2 passes over it, version 3 drops the event

    @pytest.mark.parametrize("form", ["class", "instance", "function"])
    async def test_a_transport(
        self, mode: str, error: Exception, form: str, caplog: pytest.LogCaptureFixture, start: Start
    ) -> None:
        lost: list[tuple[str, str, int]] = []

        class Broken(RecordingTransport):
            def __init__(self, options: Any = None) -> None:
                super().__init__(options)
                self.lost = lost

            def capture_envelope(self, envelope: Any) -> None:
                raise error

        start(transport={"class": Broken, "instance": Broken(), "function": raising(error)}[form])

        async def calling(scope: Any, receive: Any, send: Any) -> None:
            sentry_sdk.capture_message("by the SDK's own call, which lets it through")
            await app(scope, receive, send)

        await answer(wrap(calling))
        assert any("transport failed" in line for line in check_log(caplog))
        if form != "function":
            assert [each for each in lost if each[1] == "error"] == [("internal_sdk_error", "error", 1)] * 2
            assert ("internal_sdk_error", "transaction" if mode == "classic" else "span") in {each[:2] for each in lost}

    async def test_a_user_that_can_not_be_read(self, start: Start, error: Exception) -> None:
        transport = start()

        class User:
            @property
            def id(self) -> str:
                raise error

            identity = "u2"

        async def authenticating(scope: Any, receive: Any, send: Any) -> None:
            scope["user"] = User()
            await receive()
            capture_message("hello")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"answer"})

        await answer(compose(authenticating, UserContextMiddleware))
        (event,) = transport.items("event")
        assert event["user"] == {"id": "u2"}

    @pytest.mark.parametrize("method", ["_decide", "_start", "shaken", "_finish", "process", "report", "meet"])
    async def test_a_fault_in_any_part_of_ours(
        self, start: Start, error: Exception, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start()
        monkeypatch.setattr(RequestRecord, method, raising(error))
        hidden = compose(app, UserContextMiddleware, hide, HeaderScrubbingMiddleware)
        await answer(hidden)


def wrap_with(*layers: Any) -> Any:
    return compose(app, SentryMiddleware, *layers)


def hide(app: Any) -> Any:
    async def closed(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return closed


# --- what could not be scrubbed is not sent -----------------------------------------------------------------------


class BrokenScrubber(Scrubber):
    """Fails at whatever it is given, once it is made."""

    made = False

    def __init__(self) -> None:
        super().__init__()
        self.made = True

    def __getattribute__(self, name: str) -> Any:
        if super().__getattribute__("made") and (name == "keys" or name.startswith(("clean", "scrub", "decides"))):
            raise ValueError(SECRET)
        return super().__getattribute__(name)


async def test_what_the_doors_scrubber_fails_on_is_dropped_and_counted(
    start: Start, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not supports("event_scrubber"):
        pytest.skip("the SDK has no event_scrubber")
    transport = start(event_scrubber=BrokenScrubber())
    await answer(wrap(app))
    check_log(caplog)
    assert transport.envelopes == []
    counted = {(reason, category) for reason, category, _ in transport.lost}
    assert ("internal_sdk_error", "error") in counted
    assert ("internal_sdk_error", "transaction" if mode == "classic" else "span") in counted


@pytest.mark.parametrize("layer", [HeaderScrubbingMiddleware, partial(BodyScrubbingMiddleware, attach="always")])
async def test_what_a_layers_scrubber_fails_on_is_not_sent(
    start: Start, layer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    transport = start()
    await answer(wrap_with(partial(layer, scrubber=BrokenScrubber())))
    check_log(caplog)
    sent = "".join(str(item.payload.json) for envelope in transport.envelopes for item in envelope.items)
    assert COOKIE not in sent
    events = transport.items("event")
    lost = sum(quantity for _, category, quantity in transport.lost if category == "error")
    assert len(events) + lost == 1


async def test_in_plain_mode_it_is_dropped_by_an_event_processor(
    start_plain: Start, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asgi_sentry._request import secrets

    transport = start_plain()
    monkeypatch.setattr(secrets, "_SCRUBBER", BrokenScrubber())
    await answer(wrap(app))
    assert transport.items("event") == []
    assert ("event_processor", "error", 1) in transport.lost
    if mode == "classic":
        assert transport.items("transaction") == []
        assert ("event_processor", "transaction", 1) in transport.lost


async def test_a_description_that_fails_takes_nobodys_user_along(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It left what `set_user` had put there, which the user layer had not yet cut down to its fields."""
    from asgi_sentry._request.user_policy import UserPolicy

    transport = start()
    monkeypatch.setattr(UserPolicy, "describe", raising(ValueError(SECRET)))

    async def setting(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.set_user({"id": "u1", "email": "u1@example.org", "ip_address": "192.0.2.7"})
        await app(scope, receive, send)

    await answer(compose(setting, UserContextMiddleware))
    for event in transport.items("event") + transport.items("transaction"):
        assert "user" not in event
        assert "request" not in event


async def test_a_root_that_can_not_be_described_is_sent_without_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was lost, and in no count."""
    from asgi_sentry._request.report import Report

    transport = start()
    monkeypatch.setattr(Report, "root_attributes", raising(ValueError(SECRET)))
    await answer(wrap(app))
    (root,) = transactions(transport)
    assert root["name"] == "POST /x"
    assert root["status"] == 200


# --- what is not caught -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["resolve", "before_send", "traces_sampler"])
async def test_a_signal_that_arrives_in_a_callback_goes_on_and_leaves_order_behind(
    start: Start, error: type[BaseException], where: str
) -> None:
    hook = {} if where == "resolve" else {where: raising(error())}
    start(**hook)
    before = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("boom")

    stack = compose(failing, partial(UserContextMiddleware, resolve=raising(error()) if where == "resolve" else None))
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with suppress(error, ValueError):
        await stack(scope, None, None)  # type: ignore[arg-type]
    assert "asgi_sentry" not in scope
    assert current() is None
    assert (sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()) == before


# --- samplers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "sampled"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (Fraction(1), True),
        (None, False),
        ("1", False),
        (float("nan"), False),
        (2, False),
        (-1, False),
        (10**400, False),
        (object(), False),
        ({}, False),
        (1j, False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_whatever_a_sampler_returns(
    start: Start, rate: Any, sampled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    transport = start(traces_sampler=lambda _: rate)
    await answer(wrap(app))
    assert bool(transactions(transport)) == sampled


async def test_a_samplers_answer_is_not_shown(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """It can be anything that it found in the request."""
    start(traces_sampler=lambda _: SECRET)
    await answer(wrap(app))
    assert any("str" in line for line in check_log(caplog))


def test_a_fault_is_one_line_with_the_type_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "asgi_sentry"):
        faults_module.note("this", ValueError(SECRET), "that happens")
    assert [record.getMessage() for record in caplog.records] == ["this failed with ValueError; that happens"]
    assert all(record.exc_info is None for record in caplog.records)


def test_a_fault_that_comes_always_is_said_once_a_minute_and_how_often(
    caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    clock = Clock()
    monkeypatch.setattr(faults_module, "time", SimpleNamespace(monotonic=clock))
    before = counters()["faults"].get("this", 0)
    for minute in range(2):
        clock.now = 60.0 * minute
        for _ in range(1_000):
            faults_module.note("this", ValueError(SECRET), "that happens")
            faults_module.seldom("a text")
    assert [record.getMessage() for record in caplog.records] == [
        "this failed with ValueError; that happens",
        "a text",
        "this failed with ValueError, 1000 times in the last minute; that happens",
        "a text (1000 times in the last minute)",
    ]
    assert counters()["faults"]["this"] - before == 2_000


def test_faults_that_differ_fill_no_memory(caplog: pytest.LogCaptureFixture) -> None:
    for n in range(1_000):
        faults_module.note(f"this {n}", ValueError(), "that happens")
    assert len(caplog.records) == 1_000
    assert len(faults_module._lately) <= 256
    assert len(counters()["faults"]) <= 256


@pytest.mark.parametrize("where", ["resolve", "rule", "keep", "sampler", "fingerprint"])
async def test_a_callback_that_always_raises_is_no_flood(
    start: Start, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    start(**({"traces_sampler": raising(ValueError())} if where == "sampler" else {}))
    layers: dict[str, Any] = {
        "resolve": partial(UserContextMiddleware, resolve=raising(ValueError())),
        "rule": partial(TransactionFilterMiddleware, exclude=(raising(ValueError()),)),
        "keep": partial(PathSamplingMiddleware, keep=(KeepRule(name="mine", holds=raising(ValueError())),)),
        "sampler": SentryMiddleware,
        "fingerprint": partial(ErrorPolicyMiddleware, fingerprints={"ValueError": raising(ValueError())}),
    }

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        for n in range(3):
            logging.getLogger("app").warning("a line")
            capture_message(f"message {n}")
        capture_exception(ValueError())
        await app(scope, receive, send)

    stack = compose(busy, layers[where])
    for _ in range(20):
        await answer(stack)
    ours = [r for r in caplog.records if r.name.startswith("asgi_sentry") and r.levelno >= logging.WARNING]
    assert len(ours) <= 1


@pytest.mark.parametrize("fault", [AttributeError("x"), PanicException("rust")])
async def test_a_keep_rule_that_raises_loses_nothing(start: Start, mode: str, fault: BaseException) -> None:
    """What the dice sampled is sent, and what they did not is counted."""
    if mode == "stream":
        pytest.skip("streaming sends spans as they end")
    transport = start()
    rule = KeepRule(name="mine", holds=raising(fault))
    for share, sent in ((1.0, 3), (0.0, 3)):
        stack = compose(app, partial(PathSamplingMiddleware, default=share, keep=(rule,)))
        for _ in range(3):
            await answer(stack)
        assert len(transactions(transport)) == sent
    assert ("sample_rate", "transaction", 1) in transport.lost
    assert counters()["faults"]["the keep rule mine"] >= 3


async def test_a_fault_at_the_end_of_a_transaction_is_counted(start: Start, mode: str, monkeypatch: Any) -> None:
    transport = start()
    monkeypatch.setattr("asgi_sentry._request.ending._end_recorded", raising(ValueError()))
    before = counters()["transactions"].get("lost", 0)
    await answer(wrap(app))
    if mode == "stream":  # what is on its way is sent, without its description
        assert len(transactions(transport)) == 1
        return
    assert counters()["transactions"]["lost"] - before == 1
    assert transactions(transport) == []
    assert ("internal_sdk_error", "transaction", 1) in transport.lost


def test_a_warning_for_all_requests_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr(faults_module, "_said", set())
    for _ in range(3):
        faults_module.once("a fixed text")
    assert [record.getMessage() for record in caplog.records] == ["a fixed text"]


async def test_our_faults_make_no_events_breadcrumbs_or_logs(start: Start, mode: str) -> None:
    options = {"enable_logs": True} if supports("enable_logs") else {}
    transport = start(**options)

    def resolve(_: Mapping[str, Any]) -> Any:
        raise ValueError(SECRET)

    async def twice(scope: Any, receive: Any, send: Any) -> None:
        capture_message("first")
        await app(scope, receive, send)

    await answer(compose(twice, partial(UserContextMiddleware, resolve=resolve)))
    events = transport.items("event")
    assert [event["message"] for event in events] == ["first", "hello"]
    assert all("resolve" not in str(event.get("breadcrumbs")) for event in events)
    assert all("resolve" not in str(log) for log in transport.items("log"))


async def test_helpers_of_ours_raise_nothing(start: Start, mode: str) -> None:
    start(before_send=raising(ValueError()))
    assert capture_message("x") is None
