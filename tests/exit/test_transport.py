"""The door before each form of transport, and that a transport behind it keeps its own ways."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.transport import HttpTransport, Transport

import asgi_sentry
from asgi_sentry._exit.transport import GuardedInstance, guarded
from asgi_sentry.testing import RecordingTransport
from tests.conftest import DSN, mode_options

SECRET = "qX7mPz41vRt9Kd3w"
SETTINGS = asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0)


def send_one() -> None:
    asgi_sentry.capture_message(f"password={SECRET}; order-8812")
    sentry_sdk.flush()


class Http(HttpTransport):
    """What the SDK sends by default, without the network."""

    sent: list[bytes]

    def _send_request(self, body: bytes, headers: Any, *_: Any, **__: Any) -> None:
        type(self).sent.append(gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)


@pytest.fixture
def http(monkeypatch) -> list[bytes]:
    sent: list[bytes] = []
    monkeypatch.setattr(Http, "sent", sent, raising=False)
    return sent


def test_a_class(mode, http):
    asgi_sentry.init(
        SETTINGS, transport=Http, _experiments={"transport_compression_algo": "gzip"}, **mode_options(mode)
    )
    assert isinstance(sentry_sdk.get_client().transport, Http)
    send_one()
    (body,) = http
    assert SECRET.encode() not in body
    assert b"order-8812" in body


def test_none_is_the_sdks_own(mode, monkeypatch):
    sent: list[bytes] = []
    monkeypatch.setattr(HttpTransport, "_send_request", lambda self, body, headers, *_, **__: sent.append(body))
    options = {"_experiments": {"transport_compression_level": 0}, **mode_options(mode)}
    asgi_sentry.init(SETTINGS, **options)
    assert isinstance(sentry_sdk.get_client().transport, HttpTransport)
    send_one()
    (body,) = sent
    assert SECRET.encode() not in body
    assert b"order-8812" in body


def test_an_instance(mode):
    transport = RecordingTransport()
    asgi_sentry.init(SETTINGS, transport=transport, **mode_options(mode))
    send_one()
    (event,) = transport.items("event")
    assert event["message"] == "password=[Filtered]; order-8812"


def test_a_function(mode):
    """Deprecated by the SDK, and taken by it all the same."""
    events: list[dict[str, Any]] = []
    asgi_sentry.init(SETTINGS, transport=events.append, **mode_options(mode))
    send_one()
    (event,) = events
    assert event["message"] == "password=[Filtered]; order-8812"


def test_an_instance_is_flushed_closed_and_asked_for_its_health():
    asked: list[str] = []

    class Inner(Transport):
        extra = "its own"

        def capture_envelope(self, envelope: Envelope) -> None:
            asked.append("capture")

        def flush(self, timeout: float, callback: Any = None) -> None:
            asked.append("flush")

        def kill(self) -> None:
            asked.append("kill")

        def is_healthy(self) -> bool:
            asked.append("health")
            return False

        def record_lost_event(self, *arguments: Any, **named: Any) -> None:
            asked.append("lost")

    outer = guarded(Inner(), {}, asgi_sentry.Scrubber())
    outer.flush(1.0)
    assert outer.is_healthy() is False
    outer.record_lost_event("sample_rate", "span", quantity=2)
    outer.kill()
    assert asked == ["flush", "health", "lost", "kill"]
    assert outer.extra == "its own"
    with pytest.raises(AttributeError):
        _ = outer.nothing


def test_a_function_needs_no_more_than_to_be_called():
    outer = guarded(lambda event: None, {}, asgi_sentry.Scrubber())
    assert outer.is_healthy()
    outer.flush(1.0)
    outer.record_lost_event("sample_rate", "span")
    outer.kill()


def test_losses_are_counted_where_the_transport_counts_them():
    inner = RecordingTransport()
    outer = guarded(inner, {}, asgi_sentry.Scrubber())
    outer.record_lost_event("sample_rate", "span", quantity=3)
    assert inner.lost == [("sample_rate", "span", 3)]


@pytest.mark.parametrize("form", ["class", "instance"])
def test_what_can_not_be_scrubbed_does_not_pass(form):
    class Broken(asgi_sentry.Scrubber):
        def scrub_item(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError(SECRET)

    inner = RecordingTransport()
    outer = guarded(RecordingTransport if form == "class" else inner, {}, Broken())
    if form == "class":
        outer = inner = outer()
    for kind, content in [("log", {"items": [{"body": SECRET}]}), ("odd", {"a": SECRET})]:
        item = Item(payload=PayloadRef(json=content), type=kind, headers={"item_count": 1})
        outer.capture_envelope(Envelope(items=[item]))
    assert inner.envelopes == []
    assert {reason for reason, *_ in inner.lost} == {"internal_sdk_error"}
    assert {category for _, category, _ in inner.lost} >= {"log_item"}


def test_what_the_transport_raises_is_counted_and_does_not_reach_the_app(mode):
    class Raising(RecordingTransport):
        def capture_envelope(self, envelope: Envelope) -> None:
            raise OSError(SECRET)

    transport = Raising()
    asgi_sentry.init(SETTINGS, transport=transport, **mode_options(mode))
    asgi_sentry.capture_message("here")
    sentry_sdk.flush()


def test_client_reports_pass_untouched():
    inner = RecordingTransport()
    report = {"timestamp": 1, "discarded_events": [{"reason": "sample_rate", "category": "span", "quantity": 1}]}
    guarded(inner, {}, asgi_sentry.Scrubber()).capture_envelope(
        Envelope(items=[Item(payload=PayloadRef(json=report), type="client_report")])
    )
    assert inner.items("client_report") == [report]


def test_an_envelope_is_not_changed_for_whoever_else_holds_it():
    """Such as Spotlight, or a test's own recorder before ours."""
    item = Item(payload=PayloadRef(json={"items": [{"body": f"token={SECRET}", "attributes": {}}]}), type="log")
    envelope = Envelope(headers={"sent_at": "now"}, items=[item])
    inner = RecordingTransport()
    guarded(inner, {}, asgi_sentry.Scrubber()).capture_envelope(envelope)
    assert inner.envelopes[0] is not envelope
    assert inner.envelopes[0].headers == {"sent_at": "now"}
    assert SECRET not in str(inner.items("log"))


def test_no_repr_shows_a_dsn():
    class Quiet(RecordingTransport):
        pass

    for transport in (
        guarded(Quiet(), {"dsn": DSN}, asgi_sentry.Scrubber()),
        guarded(Quiet, {}, asgi_sentry.Scrubber())(),
    ):
        assert "publickey" not in repr(transport)
    assert guarded(Quiet, {}, asgi_sentry.Scrubber()).__name__ == "GuardedQuiet"
    assert isinstance(guarded(Quiet(), {}, asgi_sentry.Scrubber()), GuardedInstance)
