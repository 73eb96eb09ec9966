"""Whose request it is: arguments, and what is sent."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import SentryMiddleware, UserContextMiddleware, set_user_context
from asgi_sentry.testing import request
from tests.conftest import Start, transactions


async def app(scope: Any, receive: Any, send: Any) -> None:
    scope["user"] = {"id": 7, "email": "a@example.org", "username": "ann"}
    sentry_sdk.capture_message("hello")


async def coroutine(scope: Any) -> Any:
    """A resolver that nobody would await."""


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"resolve": 7}, TypeError, "resolve"),
        ({"resolve": coroutine}, TypeError, "resolve"),
        ({"fields": "id"}, TypeError, "fields"),
        ({"fields": ("",)}, ValueError, "fields"),
        ({"fields": (7,)}, ValueError, "fields"),
        ({"fields": ("ip_address",)}, ValueError, "client_ip"),
        ({"pseudonymize_with": "short"}, ValueError, "16 bytes"),
        ({"pseudonymize_with": 7}, ValueError, "pseudonymize_with"),
        ({"client_ip": "no"}, ValueError, "'drop', 'truncate', 'keep'"),
        ({"trusted_proxies": "10.0.0.0/8"}, TypeError, "trusted_proxies"),
        ({"trusted_proxies": ("10.0.0.1/8",)}, ValueError, "trusted_proxies"),
        ({"trusted_proxies": ("proxy",)}, ValueError, "'proxy'"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        UserContextMiddleware(app, **options)


def test_a_key_is_never_shown() -> None:
    with pytest.raises(ValueError, match="got 9") as info:
        UserContextMiddleware(app, pseudonymize_with="key-k3y-9")
    assert "k3y" not in str(info.value)
    assert "k3y" not in repr(vars(UserContextMiddleware(app, pseudonymize_with="key-k3y-key-k3y-9")))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"id": "7"}),
        ({"fields": ("id", "username")}, {"id": "7", "username": "ann"}),
        ({"fields": ()}, None),
        ({"resolve": lambda scope: {"id": scope["path"]}}, {"id": "/p"}),
        ({"resolve": lambda _: None}, None),
        ({"client_ip": "truncate"}, {"id": "7", "ip_address": "127.0.0.0"}),
        ({"client_ip": "keep", "fields": ()}, {"ip_address": "127.0.0.1"}),
    ],
)
async def test_what_is_sent_of_a_user(start: Start, options: dict[str, Any], expected: Any) -> None:
    transport = start()
    await request(UserContextMiddleware(app, **options), path="/p")
    (event,) = transport.items("event")
    assert event.get("user") == expected
    (root,) = transactions(transport)
    assert root["user"] == (expected or {}).get("id")


@pytest.mark.anyio
async def test_without_the_layer_only_a_bound_id_is_sent(start: Start) -> None:
    transport = start()

    async def binding(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        set_user_context(8, email="b@example.org")
        sentry_sdk.capture_message("hello")

    await request(SentryMiddleware(binding))
    assert [event.get("user") for event in transport.items("event")] == [None, {"id": "8"}]
