"""A user's own `event_scrubber` that raises: what it failed on is not sent, and counted."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry import _faults as faults
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, mode_options

pytestmark = pytest.mark.skipif(sentry_sdk.VERSION.startswith("3"), reason="version 3 has no such option")
SECRET = "qJ8x2LmV5tRw9ZbK3nYc"


class PanicException(BaseException):
    """As of code in Rust."""


class Failing:
    denylist = ("city",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def scrub_event(self, event: Any) -> None:
        raise self.error


@pytest.mark.parametrize("error", [ValueError(SECRET), PanicException(SECRET)], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("hooked", [False, True])
def test_what_it_fails_on_is_lost_and_counted(mode, error, hooked, caplog):
    transport = RecordingTransport()
    options: dict[str, Any] = {"before_send": lambda event, hint: event} if hooked else {}
    settings = asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=transport, event_scrubber=Failing(error), **mode_options(mode), **options)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with sentry_sdk.start_span(name="one") if mode == "classic" else sentry_sdk.traces.start_span("one"):
            sentry_sdk.capture_message("raises with the SDK alone")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(request, asgi_sentry.wrap(app))
    sentry_sdk.flush()
    assert transport.items("event") == transport.items("transaction") == []
    lost = [each for each in transport.lost if each[0] == "internal_sdk_error"]
    assert lost.count(("internal_sdk_error", "error", 1)) == 2
    if mode == "classic":
        assert ("internal_sdk_error", "transaction", 1) in lost
        assert ("internal_sdk_error", "span", 2) in lost
    assert any("event_scrubber failed" in text for text in caplog.messages)
    assert SECRET not in caplog.text


def test_it_is_the_users_in_all_other_ways(mode):
    own = Failing(ValueError())
    asgi_sentry.init(
        asgi_sentry.Settings(dsn=DSN), transport=RecordingTransport(), event_scrubber=own, **mode_options(mode)
    )
    scrubber = sentry_sdk.get_client().options["event_scrubber"]
    assert scrubber.denylist == ("city",)


def test_a_signal_goes_on(mode):
    asgi_sentry.init(
        asgi_sentry.Settings(dsn=DSN),
        transport=RecordingTransport(),
        event_scrubber=Failing(KeyboardInterrupt()),
        **mode_options(mode),
    )
    with pytest.raises(KeyboardInterrupt):
        sentry_sdk.capture_message("here")
    assert KeyboardInterrupt in faults.SIGNALS
