"""A pytest plugin for sentry-python's own tests: their clients are made by us, and their apps stand within our stack.

What a test configures by an integration of the SDK is given to the layer that does its work, as the migration page
says. What is sent is compared behind the door. The folder of this file is on the path of those tests and no other of
ours is, since their package is called `tests`, too.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

BEYOND = bool(os.environ.get("PEERS_BEYOND"))
"""Whether names, mechanisms and origins are put in the SDK's words before a test looks, so that it looks further."""

FRAMEWORKS = ("asgi", "starlette", "fastapi", "litestar")
CAPTURES = ("capture_events", "capture_envelopes", "capture_items", "capture_record_lost_event_calls")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
WORDS = (
    (r'("(?:transaction|name|sentry.segment.name)": (?:{"value": )?")(?:GET|POST|HEAD|OPTIONS|WS) ', r"\1"),
    (r'("mechanism": {"type": ")asgi', r"\1FRAMEWORK"),
    (r"auto\.http\.asgi_sentry", "auto.http.FRAMEWORK"),
)
USERS = {"fields": ("id", "username", "email"), "client_ip": "keep"}

framework = ""
configured: dict[str, Any] = {}
"""What the test's integrations say, in the words of our layers, by the framework's name."""


def pytest_configure() -> None:
    """Once their conftest is there, which wants to be the first to import the SDK."""
    import litestar.testing
    import starlette.testclient

    from asgi_sentry._sdk import classic, streamed

    # Their test clients take longer to return than any app does without background work.
    for roots in (classic, streamed):
        roots.WORTH_A_SPAN = 60
    for client in (starlette.testclient.TestClient, litestar.testing.TestClient):
        client.__init__ = within_our_stack(client.__init__)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    global framework
    framework = items[0].path.parent.name.replace("fastapi", "starlette")  # whose words FastAPI's integration speaks
    for module in {item.module for item in items}:  # type: ignore[attr-defined]
        if hasattr(module, "SentryAsgiMiddleware"):
            module.SentryAsgiMiddleware = in_place_of_theirs


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[None]:
    value = yield
    made = {"sentry_init": initialised, **dict.fromkeys(CAPTURES, captured)}.get(fixturedef.argname)
    if made is not None:
        value = made(value)
        fixturedef.cached_result = (value, *fixturedef.cached_result[1:])
    return value


@pytest.fixture(autouse=True)
def _nothing_of_the_last_test() -> Iterator[None]:
    configured.clear()
    yield
    from asgi_sentry import _state

    _state.reset()


# --- a client of ours ------------------------------------------------------------------------------------------------


def initialised(_: Callable[..., None]) -> Callable[..., None]:
    """In place of their fixture's value."""

    def init(*args: Any, **options: Any) -> None:
        import sentry_sdk

        import asgi_sentry

        conftest = sys.modules["tests.conftest"]
        configured.clear()
        options["integrations"] = [each for each in options.get("integrations", ()) if not taken_over(each)]
        options.setdefault("transport", conftest.TestTransport())
        options.setdefault("traces_sample_rate", None)  # where ours has a rate, theirs is off
        configured["users"] = tells_of_users(options)
        asgi_sentry.init(asgi_sentry.Settings(), **options)
        conftest._install_flush_completion_handshake(sentry_sdk.get_client())

    return init


def taken_over(integration: Any) -> bool:
    """Whether a layer does what this integration does; what it was told, the layer is told."""
    identifier = getattr(integration, "identifier", None)
    if identifier not in FRAMEWORKS:
        return False
    told = {
        "style": getattr(integration, "transaction_style", "endpoint" if identifier == "litestar" else "url"),
        "statuses": getattr(integration, "failed_request_status_codes", range(500, 600)),
        "methods": getattr(integration, "http_methods_to_capture", None),
    }
    configured[identifier] = told
    return True


def tells_of_users(options: dict[str, Any]) -> bool:
    """Whether the SDK would tell who a request's user is: by an option, where we have arguments of the layer."""
    collection = options.get("data_collection")
    if collection is None:
        return bool(options.get("send_default_pii"))
    return bool(collection.get("user_info", True))


def captured(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Their fixtures replace a method of the client's transport: of the one behind the door."""

    def capture(*args: Any) -> Any:
        import sentry_sdk

        transport = sentry_sdk.get_client().transport
        behind = getattr(transport, "inner", transport)
        with mock.patch.object(sentry_sdk, "get_client", return_value=SimpleNamespace(transport=behind)):
            made = inner(*args)
        if BEYOND:
            seen = behind.capture_envelope
            behind.capture_envelope = lambda envelope: seen(in_their_words(envelope))
        return made

    return capture


def in_their_words(envelope: Any) -> Any:
    """An envelope in which the SDK's words stand for ours."""
    for item in envelope.items:
        payload = item.payload.json
        if isinstance(payload, dict):
            text = json.dumps(payload)
            for pattern, theirs in WORDS:
                text = re.sub(pattern, theirs.replace("FRAMEWORK", framework), text)
            item.payload.json = json.loads(text)
    return envelope


# --- an app within our stack -----------------------------------------------------------------------------------------


def within_our_stack(make_client: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:
        make_client(self, stacked(app), *args, **kwargs)

    return __init__


def stacked(app: Any) -> Any:
    from asgi_sentry._middleware.layer import Layer

    return app if isinstance(app, Layer) else stack(app, **options_of(app))


def options_of(app: Any) -> dict[str, Any]:
    """What the integration of the app's framework was told."""
    from starlette.applications import Starlette

    told = configured.get(type(app).__name__.lower())
    return told or (configured.get("starlette") if isinstance(app, Starlette) else None) or {}


def in_place_of_theirs(app: Any, *args: Any, transaction_style: str = "endpoint", **kwargs: Any) -> Any:
    """What their middleware is replaced by; where there is an integration besides, names are that one's."""
    from starlette.applications import Starlette

    return stacked(app) if isinstance(app, Starlette) else stack(app, style=transaction_style)


def stack(app: Any, *, style: str = "url", statuses: Any = range(500, 600), methods: Any = None) -> Any:
    """The layers of `wrap`, with these options."""
    import asgi_sentry as ours

    left_out = METHODS - {method.upper() for method in methods} if methods else {"HEAD", "OPTIONS"}
    return ours.compose(
        app,
        partial(
            ours.SentryMiddleware,
            name="endpoint" if style in ("endpoint", "handler_name") else "route",
            failed_request_status_codes=statuses,
        ),
        partial(ours.TransactionFilterMiddleware, methods=tuple(left_out)),
        ours.PathSamplingMiddleware,
        ours.ErrorPolicyMiddleware,
        partial(ours.UserContextMiddleware, **USERS) if configured.get("users") else ours.UserContextMiddleware,
        ours.HeaderScrubbingMiddleware,
        partial(ours.BodyScrubbingMiddleware, attach="always"),
    )
