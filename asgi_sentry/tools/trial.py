"""One error and one transaction, sent to a real Sentry, and what it answered."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import sentry_sdk

import asgi_sentry
from asgi_sentry import testing
from asgi_sentry._settings import Settings
from asgi_sentry.tools.sink import BadEnvelopeError, Sink

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 30.0


class CheckError(Exception):
    """What `asgi-sentry check --send` raises, so that there is an error to be looked at."""


class Sent(NamedTuple):
    """What was sent, and what came of it."""

    ids: dict[str, str]
    """The event id of the error and of the transaction, as far as they left."""
    answers: Sequence[tuple[int, str]]
    """Status and detail, one for each envelope."""


async def _failing(scope: Any, receive: Any, send: Any) -> None:
    raise CheckError("asgi-sentry check: it works")


def send_test_events(settings: Settings) -> Sent:
    """Send them by way of a sink on loopback. The SDK itself does not tell what was answered."""
    if settings.dsn is None:
        raise ValueError("there is no DSN to send to")
    with Sink(forward_to=settings.dsn) as sink:
        own = Settings(
            dsn=sink.dsn,
            environment=settings.environment,
            release=settings.release,
            traces_sample_rate=1.0,
        )
        asgi_sentry.init(own, debug=False, auto_session_tracking=False, default_integrations=False)
        app = asgi_sentry.SentryMiddleware(_failing, name=lambda scope: "asgi-sentry check")
        with contextlib.suppress(CheckError):
            asyncio.run(testing.request(app, path="/asgi-sentry-check"))
        sentry_sdk.flush(timeout=_SECONDS)
        sentry_sdk.get_client().close(timeout=0)
        return Sent(_ids(sink), list(sink.answers))


def _ids(sink: Sink) -> dict[str, str]:
    names = {"event": "error", "transaction": "transaction"}
    ids = {}
    for kind, name in names.items():
        for item in sink.items(kind):
            with contextlib.suppress(BadEnvelopeError):
                ids[name] = str(item.json().get("event_id"))
    return ids
