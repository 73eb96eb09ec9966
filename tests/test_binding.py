"""Settings bind late: whatever the order of `init` and `wrap`, the last `init` counts."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from typing import Any

import anyio
import pytest

import asgi_sentry
from asgi_sentry import Settings, compose, wrap
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import DSN, mode_options, transactions

LATE: dict[str, Any] = {
    "traces_sample_rate": 1.0,
    "exclude": ("/items/**",),
    "rates": {"/work": 0.0},
    "budget": "1000/month",
    "error_budget": "500/month",
    "max_body_bytes": 7,
}


def hidden(app: Any) -> Any:
    async def between(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return between


STACKS = {
    "wrap": wrap,
    "wrap twice": lambda app: wrap(wrap(app)),
    "a layer outside": lambda app: asgi_sentry.SentryMiddleware(wrap(app)),
    "layers inside": lambda app: wrap(compose(app, asgi_sentry.UserContextMiddleware)),
    "hidden": lambda app: hidden(wrap(app)),
    "hidden within": lambda app: wrap(hidden(wrap(app))),
}


@pytest.fixture
def init(mode):
    def start(**settings: Any) -> RecordingTransport:
        transport = RecordingTransport()
        asgi_sentry.init(Settings(dsn=DSN, **settings), transport=transport, **mode_options(mode))
        return transport

    return start


def names(app: Any, transport: RecordingTransport) -> list[str]:
    for path in ("/items/7", "/work", "/http-404"):
        anyio.run(partial(request, app, path=path))
    return [root["name"] for root in transactions(transport)]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("before", [False, True])
def test_an_init_after_wrap_counts(init, stack, before):
    if before:
        init(traces_sample_rate=1.0, exclude=("/http-404",))
    app = STACKS[stack](apps.starlette_app())
    transport = init(**LATE)
    assert names(app, transport) == ["GET /http-404"]
    assert set(asgi_sentry.budgets()) == {"budget", "error_budget"}


def test_the_last_of_several_counts(init):
    app = wrap(apps.starlette_app())
    init(**LATE)
    transport = init(traces_sample_rate=1.0)
    assert names(app, transport) == ["GET /items/{item_id}", "GET /work", "GET /http-404"]
    assert asgi_sentry.budgets() == {}


def test_bodies_are_cut_as_the_last_init_says(init):
    app = wrap(apps.starlette_app())
    transport = init(**LATE)

    async def ask() -> None:
        await request(app, "POST", "/boom", body=b"x" * 100, headers=[("content-type", "text/plain")])

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(ask)
    (event,) = transport.items("event")
    assert "x" * 8 not in str(event["request"].get("data"))


def test_settings_of_its_own_stay(init):
    app = wrap(apps.starlette_app(), Settings(exclude=("/http-404",)))
    transport = init(**LATE)
    assert names(app, transport) == ["GET /items/{item_id}", "GET /work"]


def test_the_same_settings_change_nothing(init):
    init(**LATE)
    app: Any = wrap(apps.starlette_app())
    before = dict(vars(app))
    init(**LATE)
    assert vars(app)["app"] is before["app"]


def test_a_budget_that_was_spent_of_is_not_given_back_by_an_init_that_says_the_same(init):
    settings = {"traces_sample_rate": 1.0, "budget": "1/day"}
    init(**settings)
    app = wrap(apps.starlette_app())
    for _ in range(3):
        transport = init(**settings)
        anyio.run(partial(request, app, path="/items/7"))
    assert transactions(transport) == []


@pytest.mark.parametrize("holds_its_stack", [False, True])
def test_an_app_that_is_gone_is_not_kept(init, holds_its_stack):
    """Nor one that knows its own stack, as by the traceback of an exception that it has noted."""

    class App:
        stack: Any = None

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    app = App()
    gone = weakref.ref(app)
    wrapped = wrap(app)
    if holds_its_stack:
        app.stack = wrapped
    init(**LATE)
    del app, wrapped
    gc.collect()
    assert gone() is None
