"""Law 6: what is dropped is in the client reports, as the SDK counts the same drop."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.monitor import Monitor
from sentry_sdk.transport import HttpTransport

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import DSN, mode_options

TRACE, PARENT = "0123456789abcdef0123456789abcdef", "fedcba9876543210"

Losses = dict[tuple[str, str], int]


def losses(transport: RecordingTransport) -> Losses:
    sentry_sdk.flush()
    counted: Counter[tuple[str, str]] = Counter()
    for reason, category, quantity in transport.lost:
        counted[reason, category] += quantity
    return dict(counted)


def spans(count: int) -> Any:
    """Work of an app that makes so many child spans."""

    @asgi_sentry.trace_function
    def one() -> None:
        """A span."""

    return lambda _: [one() for _ in range(count)] and None


async def _call(app: Any, path: str, headers: Any) -> None:
    try:
        await request(app, path=path, headers=headers)
    except RuntimeError as exc:
        if str(exc) != "boom":
            raise


def lost_of(
    stack: Any, transport: RecordingTransport, path: str, *, work: Any = apps.nothing, headers: Any = ()
) -> Losses:
    anyio.run(_call, stack(apps.starlette_app(work=work)), path, headers)
    return losses(transport)


def of_the_sdk(mode: str, path: str, *, work: Any, headers: Any, **options: Any) -> Losses:
    """What the SDK's own middleware counts."""
    transport = RecordingTransport()
    options = {"traces_sample_rate": 1.0, "auto_enabling_integrations": False, **mode_options(mode), **options}
    sentry_sdk.init(dsn=DSN, transport=transport, **options)
    try:
        return lost_of(SentryAsgiMiddleware, transport, path, work=work, headers=headers)
    finally:
        sentry_sdk.get_client().close(timeout=0)


def drop(*_: Any) -> None:
    """A hook that drops what it is given."""


SITUATIONS: dict[str, dict[str, Any]] = {
    "nothing is dropped": {},
    "a rate of 0": {"traces_sample_rate": 0.0},
    "a sampler that says 0": {"traces_sampler": lambda _: 0},
    "a sampler that says False": {"traces_sampler": lambda _: False},
    "the parent's decision": {"headers": [("sentry-trace", f"{TRACE}-{PARENT}-0")]},
    "errors are sampled": {"sample_rate": 0.0, "path": "/boom"},
    "before_send": {"before_send": drop, "path": "/boom"},
    "an ignored error": {"ignore_errors": [RuntimeError], "path": "/boom"},
    "tracing off": {"traces_sample_rate": None},
    "a rate that is none": {"traces_sampler": lambda _: "often"},
}
CLASSIC: dict[str, dict[str, Any]] = {"before_send_transaction": {"before_send_transaction": drop}}


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("situation", [*SITUATIONS, *CLASSIC])
def test_as_the_sdk_counts(start, mode, situation, count):
    if situation in CLASSIC and mode == "stream":
        pytest.skip("a hook of classic mode")
    options = {"traces_sample_rate": 1.0, **{**SITUATIONS, **CLASSIC}[situation]}
    headers, path = options.pop("headers", ()), options.pop("path", "/work")
    expected = of_the_sdk(mode, path, work=spans(count), headers=headers, **options)
    transport = start(**options)
    found = lost_of(asgi_sentry.SentryMiddleware, transport, path, work=spans(count), headers=headers)
    assert found == expected
    assert bool(found) == (situation not in {"nothing is dropped", "tracing off", "an ignored error"})


EXCLUSIONS: dict[str, Any] = {
    "filtered by path": partial(asgi_sentry.TransactionFilterMiddleware, exclude=("/work",)),
    "filtered by user agent": partial(asgi_sentry.TransactionFilterMiddleware, user_agents=("probe",)),
    "a rate of 0 for the path": partial(asgi_sentry.PathSamplingMiddleware, rates={"/work": 0}),
    "the dice": partial(asgi_sentry.PathSamplingMiddleware, rates={"/work": 1e-9}),
    "further in": lambda app: asgi_sentry.SentryMiddleware(
        apps.hiding(asgi_sentry.TransactionFilterMiddleware(app, exclude=("/work",)))
    ),
}


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("exclusion", EXCLUSIONS)
def test_an_exclusion_counts_as_the_sdks_sampler_does(start, mode, exclusion, count):
    headers = [("user-agent", "probe/1"), ("sentry-trace", f"{TRACE}-{PARENT}")]
    expected = of_the_sdk(mode, "/work", work=spans(count), headers=headers, traces_sampler=lambda _: 0)
    transport = start()
    found = lost_of(EXCLUSIONS[exclusion], transport, "/work", work=spans(count), headers=headers)
    assert found == expected != {}


def test_each_request_over_a_limit_is_counted(start, mode):
    transport = start()
    rates = {"/work": asgi_sentry.Rate(1.0, at_most="2/hour")}
    app = asgi_sentry.PathSamplingMiddleware(apps.starlette_app(), rates=rates)
    for _ in range(5):
        anyio.run(_call, app, "/work", ())
    counted = losses(transport)
    assert counted["sample_rate", "span"] == 3
    assert counted.get(("sample_rate", "transaction")) == (3 if mode == "classic" else None)


@pytest.mark.parametrize(
    "stack", [asgi_sentry.SentryMiddleware, partial(asgi_sentry.PathSamplingMiddleware, default=1.0)]
)
@pytest.mark.parametrize("halvings", [1, 10])
def test_backpressure(start, mode, halvings, stack, monkeypatch):
    """The SDK halves the rate while its queue is full; the dice are given, so that the test's are not thrown."""
    headers = [("sentry-trace", f"{TRACE}-{PARENT}"), ("baggage", f"sentry-trace_id={TRACE},sentry-sample_rand=0.6")]
    begun = Monitor.__init__

    def pressed(self, *given, **named):
        begun(self, *given, **named)
        self._downsample_factor = halvings

    monkeypatch.setattr(Monitor, "__init__", pressed)
    expected = of_the_sdk(mode, "/work", work=spans(1), headers=headers)
    transport = start()
    assert lost_of(stack, transport, "/work", work=spans(1), headers=headers) == expected
    assert {reason for reason, _ in expected} == {"backpressure"}


@pytest.mark.parametrize("websockets", ["handshake", "lifetime", "off"])
def test_websockets_that_are_no_transactions(start, mode, websockets):
    transport = start(traces_sample_rate=0.0)
    app = asgi_sentry.SentryMiddleware(apps.starlette_app(), websockets=websockets)
    anyio.run(apps.converse, app, "/ws/talk", "hello")
    expected = {("sample_rate", "span"): 1}
    if mode == "classic":
        expected["sample_rate", "transaction"] = 1
    assert losses(transport) == expected


# -- what can't be scrubbed is not sent, and counted -----------------------------------------------------------------


class Broken(asgi_sentry.Scrubber):
    """Stumbles over everything it is given."""

    def scrub_event(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("5ecret")

    def scrub_item(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("5ecret")


def everything(_: Any) -> None:
    spans(3)(_)
    asgi_sentry.capture_message("here")
    if hasattr(sentry_sdk, "logger"):
        sentry_sdk.logger.warning("one")
        sentry_sdk.logger.warning("two")


def test_what_cannot_be_scrubbed_is_lost_and_counted(start, mode):
    transport = start(event_scrubber=Broken(), enable_logs=True)
    counted = lost_of(asgi_sentry.wrap, transport, "/work", work=everything)
    reason = "internal_sdk_error"
    assert counted[reason, "error"] == 1
    assert counted[reason, "log_item"] == 2
    assert counted[reason, "span"] == 4
    if mode == "classic":
        assert counted[reason, "transaction"] == 1
    assert {item.type for envelope in transport.envelopes for item in envelope.items} <= {"client_report"}


def test_what_cannot_be_scrubbed_without_the_door_is_redacted_as_a_whole(start_plain, mode):
    """In events and transactions of requests; nothing else is ours there."""
    transport = start_plain()
    stack = partial(asgi_sentry.HeaderScrubbingMiddleware, scrubber=_Unreadable())
    app = stack(apps.starlette_app(work=lambda _: asgi_sentry.capture_message("here")))
    anyio.run(_call, app, "/work", [("x", "y")])
    (event,) = transport.items("event")
    assert event["request"]["headers"] == "[Filtered]"
    assert "5ecret" not in str(event)


class _Unreadable(asgi_sentry.Scrubber):
    def scrub_part(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("5ecret")


# -- the report itself ------------------------------------------------------------------------------------------------


def test_the_client_report_says_it(start, mode):
    """By the SDK's own transport, which sends what was counted with the next envelope."""
    sent: list[dict[str, Any]] = []

    class Transport(HttpTransport):
        def _send_request(self, body: bytes, headers: Any, *_: Any, **__: Any) -> None:
            envelope = Envelope.deserialize(gzip.decompress(body))
            sent.extend(json.loads(item.get_bytes()) for item in envelope.items if item.type == "client_report")

    start(transport=Transport, _experiments={"transport_compression_algo": "gzip"})
    exclude = partial(asgi_sentry.TransactionFilterMiddleware, exclude=("/work",))
    app = exclude(apps.starlette_app(work=lambda _: asgi_sentry.capture_message("x")))
    for _ in range(2):
        anyio.run(_call, app, "/work", ())
    sentry_sdk.get_client().close(timeout=2)
    counted: Counter[tuple[str, str]] = Counter()
    for report in sent:
        for entry in report["discarded_events"]:
            counted[entry["reason"], entry["category"]] += entry["quantity"]
    assert counted["sample_rate", "span"] == 2
    assert counted["sample_rate", "transaction"] == (2 if mode == "classic" else 0)
