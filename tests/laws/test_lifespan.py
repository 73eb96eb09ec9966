"""Law 3: errors of the lifespan are reported once, with frames, and raised on; whatever the server logs of them."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from typing import Any

import anyio
import pytest
import sentry_sdk
from litestar import Litestar
from starlette.applications import Starlette

import asgi_sentry
from asgi_sentry import wrap
from tests.conftest import Start

SECRET = "hunter2-hunter2"


@contextlib.asynccontextmanager
async def failing_at_start(app: Any) -> Any:
    db_password = SECRET  # noqa: F841 - a frame's variable
    raise ConnectionError(f"cannot reach postgres://app:{SECRET}@db/prod")
    yield


@contextlib.asynccontextmanager
async def failing_at_stop(app: Any) -> Any:
    yield
    raise ConnectionError("while closing")


async def swallowing(scope: Any, receive: Any, send: Any) -> None:
    """As a framework that says that it failed, and leaves it at that."""
    try:
        raise ConnectionError("cannot reach the database")
    except ConnectionError:
        await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})


def hidden(app: Any) -> Any:
    async def between(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return between


APPS = {
    "starlette at start": lambda: Starlette(lifespan=failing_at_start),
    "starlette at stop": lambda: Starlette(lifespan=failing_at_stop),
    "litestar at start": lambda: Litestar([], lifespan=[failing_at_start]),
    "litestar at stop": lambda: Litestar([], lifespan=[failing_at_stop]),
}
STACKS = {
    "wrap": wrap,
    "wrap twice": lambda app: wrap(hidden(wrap(app))),
    "one layer": asgi_sentry.SentryMiddleware,
}


async def live(app: Any, logger: str | None, *, logs_raised: bool = False) -> BaseException | None:
    """Call the lifespan as a server does, which logs what it is told as text, or what it catches."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        if message.get("message") and logger is not None:
            logging.getLogger(logger).error(message["message"])

    try:
        await app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    except Exception as exc:
        if logs_raised and logger is not None:
            logging.getLogger(logger).error("Exception in 'lifespan' protocol", exc_info=exc)
        return exc
    return None


@pytest.mark.parametrize("logger", ["uvicorn.error", "hypercorn.error", "_granian", None])
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("name", APPS)
def test_it_is_reported_once_and_raised_on(start: Start, name: str, stack: str, logger: str | None) -> None:
    transport = start()
    exc = anyio.run(live, STACKS[stack](APPS[name]()), logger)
    assert type(exc).__name__ == ("ExceptionGroup" if "litestar" in name else "ConnectionError")
    (event,) = transport.items("event")
    values = event["exception"]["values"]
    assert any(value["mechanism"].get("handled") is False for value in values)
    (value,) = (value for value in values if value["type"] == "ConnectionError")
    assert value["stacktrace"]["frames"][-1]["function"].startswith("failing_at")
    assert SECRET not in json.dumps(event)


@pytest.mark.parametrize("name", APPS)
def test_a_server_that_logs_what_was_raised_makes_no_second(start: Start, name: str) -> None:
    transport = start()
    exc = anyio.run(live, wrap(APPS[name]()), None)
    logging.getLogger("uvicorn.error").error("Exception in 'lifespan' protocol", exc_info=exc)
    assert len(transport.items("event")) == 1


def test_neither_does_one_that_says_that_the_app_did_not_start(start: Start) -> None:
    """As uvicorn, after it has logged what was raised."""
    transport = start()
    logging.getLogger("uvicorn.error").error("Application startup failed. Exiting.")
    assert len(transport.items("event")) == 1  # of an app that we know nothing of
    anyio.run(live, wrap(APPS["starlette at start"]()), None)
    logging.getLogger("uvicorn.error").error("Application startup failed. Exiting.")
    logging.getLogger("uvicorn.error").error("the port is taken")
    assert len(transport.items("event")) == 3


def test_it_is_sent_before_the_server_hears_of_it(start: Start) -> None:
    """One that ends by the signal that it got, or at once, leaves nobody the time."""
    transport = start()
    heard: list[int] = []

    async def send(message: Any) -> None:
        if message["type"].endswith("failed"):
            heard.append(len(transport.items("event")))
            raise OSError("gone")  # as hypercorn raises an error of its own

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    with pytest.raises(OSError, match="gone"):
        anyio.run(wrap(Starlette(lifespan=failing_at_start)), {"type": "lifespan"}, receive, send)
    assert heard == [1]
    assert len(transport.items("event")) == 1


def test_what_is_not_raised_but_logged_is_reported_with_frames(start: Start) -> None:
    transport = start()
    assert anyio.run(live, wrap(swallowing), "uvicorn.error") is None
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "swallowing"


def test_what_else_a_server_or_an_app_logs_then_is_sent(start: Start) -> None:
    transport = start()

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> Any:
        logging.getLogger("uvicorn.error").error("of the server")
        logging.getLogger("app").error("of the app")
        yield

    assert anyio.run(live, wrap(Starlette(lifespan=lifespan)), "uvicorn.error") is None
    assert len(transport.items("event")) == 2


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_a_signal_is_no_error(start: Start, signal: type[BaseException]) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise signal

    with pytest.raises(signal):
        anyio.run(live, wrap(app), None)
    assert transport.items("event") == []


def test_without_a_client_it_is_raised_on() -> None:
    assert not sentry_sdk.get_client().is_active()
    assert type(anyio.run(live, wrap(Starlette(lifespan=failing_at_start)), "uvicorn.error")) is ConnectionError


def test_an_ordinary_lifespan_sends_nothing(start: Start) -> None:
    transport = start()
    assert anyio.run(live, wrap(Starlette()), "uvicorn.error") is None
    assert transport.items("event") == []
