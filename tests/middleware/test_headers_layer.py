"""Headers, cookies and query: arguments and their effect."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import HeaderScrubbingMiddleware, Scrubber, SentryMiddleware
from asgi_sentry.testing import request
from tests.conftest import Start


async def app(scope: Any, receive: Any, send: Any) -> None:
    sentry_sdk.capture_message("hello")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"deny": "x"}, TypeError, "deny"),
        ({"allow": "x"}, TypeError, "allow"),
        ({"deny": 7}, TypeError, "deny"),
        ({"scrubber": object()}, TypeError, "Scrubber"),
        ({"scrubber": Scrubber}, TypeError, "Scrubber"),
        ({"scrubber": Scrubber(), "deny": ("x",)}, ValueError, "deny and allow"),
        ({"scrubber": Scrubber(), "allow": ("x",)}, ValueError, "deny and allow"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        HeaderScrubbingMiddleware(app, **options)


HEADERS = [("x-mine", "value-of-mine"), ("accept", "text/html"), ("cookie", "theme=dark; session=abcdefghijklmnop")]


async def section(start: Start, stack: Any) -> dict[str, Any]:
    transport = start()
    await request(stack, path="/p", headers=HEADERS, query=b"a=b&token=abcdefgh")
    (event,) = transport.items("event")
    found: dict[str, Any] = event["request"]
    return found


@pytest.mark.anyio
async def test_without_the_layer_there_is_method_and_url_alone(start: Start) -> None:
    assert await section(start, SentryMiddleware(app)) == {"method": "GET", "url": "http://testserver/p"}


@pytest.mark.anyio
async def test_with_it_they_are_attached_scrubbed(start: Start) -> None:
    found = await section(start, HeaderScrubbingMiddleware(app))
    assert found["headers"]["accept"] == "text/html"
    assert found["cookies"] == {"theme": "dark", "session": "[Filtered]"}
    assert found["query_string"] == "a=b&token=[Filtered]"
    assert "abcdefgh" not in str(found)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "options", [{"deny": ("x_mine",), "allow": ("theme",)}, {"scrubber": Scrubber(deny=("xMine",))}]
)
async def test_own_terms_hold_for_the_headers(start: Start, options: dict[str, Any]) -> None:
    found = await section(start, HeaderScrubbingMiddleware(app, **options))
    assert found["headers"]["x-mine"] == "[Filtered]"
    assert found["headers"]["accept"] == "text/html"
