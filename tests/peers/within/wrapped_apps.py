"""A pytest plugin for the frameworks' own tests: the app that a test client is given stands within our stack.

Everything is sampled, described and scrubbed, and goes nowhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

CLIENTS = (
    ("starlette.testclient", "TestClient"),
    ("litestar.testing", "TestClient"),
    ("litestar.testing", "AsyncTestClient"),
    ("httpx", "ASGITransport"),
    ("httpx2", "ASGITransport"),
)


class Nowhere(Transport):
    """What is sent comes here scrubbed; a real transport serializes it in a thread of its own, after the request."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Drop it."""


def pytest_configure() -> None:
    import asgi_sentry

    settings = asgi_sentry.Settings(dsn="http://publickey@localhost/1", release="app@1", traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=Nowhere())
    for module, name in CLIENTS:
        try:
            client = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
        client.__init__ = within_our_stack(client.__init__)


def within_our_stack(make_client: Callable[..., None]) -> Callable[..., None]:
    import asgi_sentry

    def __init__(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:
        make_client(self, asgi_sentry.wrap(app), *args, **kwargs)

    return __init__
