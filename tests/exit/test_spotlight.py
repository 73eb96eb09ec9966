"""An item passes the door once, whoever is handed it: Spotlight and the transport, or a transport that hands it on."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, mode_options, transactions

V3 = sentry_sdk.VERSION.startswith("3")
SECRET = "qJ8x2LmV5tRw9ZbK3nYc"

pytestmark = pytest.mark.skipif(V3, reason="version 3 has its own Spotlight")


@pytest.fixture
def spotlight(monkeypatch) -> list[Envelope]:
    shown: list[Envelope] = []
    monkeypatch.setattr("sentry_sdk.spotlight.SpotlightClient.capture_envelope", lambda self, each: shown.append(each))
    return shown


def begin(mode: str, transport: RecordingTransport, **options: Any) -> None:
    settings = asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0)
    asgi_sentry.init(
        settings,
        transport=transport,
        spotlight="http://127.0.0.1:9/stream",
        enable_logs=True,
        **mode_options(mode),
        **options,
    )


async def failing(scope: Any, receive: Any, send: Any) -> None:
    logging.getLogger("shop").warning("handing on %s", SECRET)
    raise RuntimeError(f"refused: {SECRET}")


def ask(app: Any, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(RuntimeError):
            anyio.run(lambda: request(app, headers=[("authorization", f"Bearer {SECRET}")]))
    sentry_sdk.flush()


def bodies(envelopes: list[Envelope]) -> bytes:
    return b"".join(item.get_bytes() for envelope in envelopes for item in envelope.items)


def test_both_get_the_same_without_secrets(spotlight, mode):
    transport = RecordingTransport()
    begin(mode, transport)
    ask(asgi_sentry.wrap(failing))
    assert b"handing on" in bodies(spotlight)
    assert b"refused" in bodies(spotlight)
    assert SECRET.encode() not in bodies(spotlight) + bodies(transport.envelopes)
    kept = [item for envelope in transport.envelopes for item in envelope.items if item.type != "client_report"]
    assert {id(item) for item in kept} <= {id(item) for envelope in spotlight for item in envelope.items}
    assert len(transactions(transport)) == 1


def test_limits_and_counters_are_spent_once(spotlight, mode):
    transport = RecordingTransport()
    begin(mode, transport)
    before = asgi_sentry.counters()["errors"]
    app = asgi_sentry.compose(failing, partial(asgi_sentry.ErrorPolicyMiddleware, per_fingerprint="2/minute"))
    ask(app, times=3)
    after = asgi_sentry.counters()["errors"]
    assert len(transport.items("event")) == 2
    assert [each for each in transport.lost if each[1] == "error"] == [("event_processor", "error", 1)]
    assert {reason: after.get(reason, 0) - before.get(reason, 0) for reason in ("sent", "limit")} == {
        "sent": 2,
        "limit": 1,
    }


def test_what_cannot_be_scrubbed_is_lost_once_and_shown_nowhere(spotlight, mode, monkeypatch):
    transport = RecordingTransport()
    begin(mode, transport)
    monkeypatch.setattr(asgi_sentry.Scrubber, "scrub_event", None)
    asgi_sentry.capture_message("here")
    assert [each for each in transport.lost if each[1] == "error"] == [("internal_sdk_error", "error", 1)]
    assert bodies(spotlight) == bodies(transport.envelopes) == b""


def test_a_transport_that_hands_an_envelope_on_twice_spends_once(mode):
    class Twice(RecordingTransport):
        def capture_envelope(self, envelope: Envelope) -> None:
            for _ in range(2):  # as one that sends to two places, by clients of its own
                inner.capture_envelope(Envelope(headers=envelope.headers, items=list(envelope.items)))

    from asgi_sentry._exit.transport import guarded

    inner_most = RecordingTransport()
    inner = guarded(inner_most, {}, asgi_sentry.Scrubber())
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=Twice(), **mode_options(mode))
    app = asgi_sentry.compose(failing, partial(asgi_sentry.ErrorPolicyMiddleware, per_fingerprint="1/minute"))
    ask(app)
    assert len(inner_most.items("event")) == 2
    assert SECRET.encode() not in bodies(inner_most.envelopes)
