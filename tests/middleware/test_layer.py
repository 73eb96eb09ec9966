"""What all layers share: what they take for an app, and what each sees below it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from asgi_sentry import (
    BodyScrubbingMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    compose,
)
from asgi_sentry._middleware.layer import survey
from asgi_sentry.testing import request
from tests.conftest import Start, transactions

LAYERS = [
    SentryMiddleware,
    TransactionFilterMiddleware,
    PathSamplingMiddleware,
    UserContextMiddleware,
    HeaderScrubbingMiddleware,
    BodyScrubbingMiddleware,
]


async def app(scope: Any, receive: Any, send: Any) -> None:
    scope["route"] = "/x"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answer"})


async def two_arguments(scope: Any, receive: Any) -> None:
    """No ASGI3 app."""


class App:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("wrong", [None, "app", 7, App, two_arguments, lambda: None])
def test_what_is_no_app_is_refused(layer: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"{layer.__name__} wraps an ASGI3 app"):
        layer(wrong)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("right", [app, App(), App().__call__, partial(app), lambda scope, receive, send: None])
def test_what_is_an_app_is_taken(layer: Any, right: Any) -> None:
    assert layer(right).app is right


@pytest.mark.parametrize("layer", LAYERS)
def test_options_are_keywords_and_known(layer: Any) -> None:
    with pytest.raises(TypeError):
        layer(app, ())
    with pytest.raises(TypeError):
        layer(app, no_such_option=1)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_shows_no_app(layer: Any) -> None:
    assert "0x" in repr(layer(app))
    assert "app" not in repr(layer(app)).partition(" object")[2]


@pytest.mark.anyio
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("plain", [False, True])
async def test_each_layer_alone_makes_one_transaction(
    start: Start, start_plain: Start, layer: Any, plain: bool
) -> None:
    transport = start_plain() if plain else start()
    response = await request(layer(app), "POST", body=b"body")
    assert response == (200, [], b"answer")
    (root,) = transactions(transport)
    assert (root["name"], root["status"]) == ("POST /x", 200)


def test_a_layer_sees_those_below_through_middlewares_that_hold_an_app() -> None:
    class Theirs:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    inner = HeaderScrubbingMiddleware(app)
    middle = Theirs(inner)
    outer = SentryMiddleware(UserContextMiddleware(middle))
    found = survey(outer)
    assert found.target is middle
    assert found.plan.covers(inner._own)
    assert found.plan.user is not None


def test_a_layer_sees_nothing_behind_a_closure() -> None:
    inner = HeaderScrubbingMiddleware(app)

    async def closed(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    found = survey(SentryMiddleware(closed))
    assert found.target is closed
    assert not found.plan.headers


def test_a_circle_of_apps_is_looked_through_once() -> None:
    class Circle:
        app: Any

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            """Never called."""

    circle = Circle()
    circle.app = circle
    assert survey(SentryMiddleware(circle)).target is circle


@pytest.mark.anyio
async def test_layers_that_stand_together_cost_one_call(start: Start) -> None:
    start()
    stack: Any = compose(app, *LAYERS)
    assert stack._target is app


@pytest.mark.parametrize("value", [None, 7, "text", [], {"closed": False}])
@pytest.mark.anyio
async def test_a_value_of_somebody_elses_under_our_key_is_none_of_our_records(
    start: Start, mode: str, value: Any
) -> None:
    transport = start()
    response = await request(SentryMiddleware(app), scope={"asgi_sentry": value})
    assert response.status == 200
    assert len(transactions(transport)) == 1
