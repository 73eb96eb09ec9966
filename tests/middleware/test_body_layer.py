"""The body: arguments, and when it is attached."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import BodyScrubbingMiddleware, Scrubber, SentryMiddleware
from asgi_sentry.testing import request
from tests.conftest import Start


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    sentry_sdk.capture_message("hello")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"max_bytes": -1}, ValueError, "max_bytes"),
        ({"max_bytes": 1.5}, ValueError, "max_bytes"),
        ({"max_bytes": True}, ValueError, "max_bytes"),
        ({"max_bytes": "1"}, ValueError, "max_bytes"),
        ({"attach": "error"}, ValueError, "'errors', 'always', 'never'"),
        ({"attach": True}, ValueError, "attach"),
        ({"deny": "x"}, TypeError, "deny"),
        ({"scrubber": Scrubber(), "deny": ("x",)}, ValueError, "deny and allow"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        BodyScrubbingMiddleware(app, **options)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("layer", "on_error", "on_transaction"),
    [
        (SentryMiddleware, False, False),
        (BodyScrubbingMiddleware, True, False),
        (lambda app: BodyScrubbingMiddleware(app, attach="always"), True, True),
        (lambda app: BodyScrubbingMiddleware(app, attach="never"), False, False),
        (lambda app: BodyScrubbingMiddleware(app, max_bytes=0), None, False),
    ],
)
async def test_when_it_is_attached(
    start: Start, mode: str, layer: Any, on_error: bool | None, on_transaction: bool
) -> None:
    transport = start()
    body = b'{"a": "harmless", "password": "abcdefgh"}'
    await request(layer(app), "POST", headers=[("content-type", "application/json")], body=body)
    sentry_sdk.flush()
    (event,) = transport.items("event")
    if on_error:
        assert event["request"]["data"] == {"a": "harmless", "password": "[Filtered]"}
    elif on_error is False:
        assert "data" not in event["request"]
    sent = str(transport.items("transaction") + transport.items("span"))
    assert ("harmless" in sent) == on_transaction
    assert "abcdefgh" not in sent + str(event)


@pytest.mark.anyio
async def test_never_attached_it_is_known_for_the_taint(start: Start) -> None:
    transport = start()

    async def telling(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        sentry_sdk.capture_message("it was s3cr3t-password")

    body = b'{"password": "s3cr3t-password"}'
    stack = BodyScrubbingMiddleware(telling, attach="never")
    await request(stack, "POST", headers=[("content-type", "application/json")], body=body)
    (event,) = transport.items("event")
    assert event["message"] == "it was [Filtered]"
