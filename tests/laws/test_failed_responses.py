"""Errors that are logged first, and responses that failed with no exception in sight: what is sent, and what counts."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from litestar import Litestar, Response, get
from litestar.exceptions import HTTPException as LitestarHTTPException
from litestar.logging import LoggingConfig

import asgi_sentry
from asgi_sentry._request.logged import is_unhandled
from asgi_sentry.testing import RecordingTransport, request
from tests import apps


def call(app: Any, path: str = "/") -> int:
    return anyio.run(partial(request, app, path=path)).status


def sessions(transport: RecordingTransport) -> dict[str, int]:
    sentry_sdk.get_client().session_flusher.flush()
    counted: dict[str, int] = {}
    for payload in transport.items("sessions"):
        for aggregate in payload["aggregates"]:
            for key, number in aggregate.items():
                if key != "started":
                    counted[key] = counted.get(key, 0) + number
    return counted


# -- logged first ------------------------------------------------------------------------------------------------------


@get("/boom")
async def boom() -> None:
    raise ValueError("boom")


@get("/meant")
async def meant() -> None:
    raise LitestarHTTPException(detail="out of order", status_code=503)


@get("/logged")
async def logged() -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("shop").exception("it failed, and we go on")


class RateLimited(Exception):
    """What a client of an API raises: the status is the API's answer, and not ours."""

    status_code = 429
    code = "slow_down"


@get("/upstream")
async def upstream() -> None:
    raise RateLimited


class OutOfOrder(Exception):
    """The app's own, which it answers by a handler of its own."""

    status_code = 500


def answer(_: Any, exc: OutOfOrder) -> Response[str]:
    return Response("out of order", status_code=exc.status_code)


@get("/own", exception_handlers={OutOfOrder: answer})
async def own() -> None:
    raise OutOfOrder


LOGGING: dict[str, Any] = {
    "always": {"logging_config": LoggingConfig(log_exceptions="always", configure_root_logger=False)},
    "debug": {"debug": True, "logging_config": LoggingConfig(configure_root_logger=False)},
    "never": {"logging_config": LoggingConfig(log_exceptions="never", configure_root_logger=False)},
}


@pytest.fixture
def litestar(request: pytest.FixtureRequest) -> Any:
    """Its logging is set up when it is made, and must not last."""
    logger = logging.getLogger("litestar")
    before = logger.handlers[:], logger.level, logger.propagate
    made = Litestar([boom, meant, logged, upstream, own], openapi_config=None, **LOGGING[request.param])
    yield made
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.parametrize("path", ["/boom", "/upstream"])
@pytest.mark.parametrize("litestar", LOGGING, indirect=True)
def test_what_litestar_logs_is_unhandled_and_crashes_the_session(start, mode, litestar, path):
    transport = start()
    assert call(asgi_sentry.wrap(litestar), path) == 500
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["mechanism"] == {"type": "asgi", "handled": False}
    assert sessions(transport) == {"crashed": 1}


@pytest.mark.parametrize("litestar", LOGGING, indirect=True)
def test_what_is_meant_stays_handled(start, mode, litestar):
    transport = start()
    assert call(asgi_sentry.wrap(litestar), "/meant") == 503
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["mechanism"]["handled"] is True
    assert sessions(transport) == {"errored": 1}


@pytest.mark.parametrize("litestar", ["never"], indirect=True)
def test_an_exception_of_the_apps_own_that_says_500_is_meant(start, mode, litestar):
    transport = start()
    assert call(asgi_sentry.wrap(litestar), "/own") == 500
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["mechanism"]["handled"] is True
    assert sessions(transport) == {"errored": 1}


@pytest.mark.parametrize("litestar", LOGGING, indirect=True)
def test_what_the_app_logs_is_in_its_hands(start, mode, litestar):
    transport = start()
    call(asgi_sentry.wrap(litestar), "/logged")
    (event,) = transport.items("event")
    assert event["exception"]["values"][-1]["mechanism"] == {"type": "logging", "handled": True}
    assert sessions(transport) == {"errored": 1}


@pytest.mark.parametrize(
    ("path", "unhandled"),
    [
        ("/venv/lib/python3.13/site-packages/quart/app.py", True),
        ("/venv/lib/python3.13/site-packages/litestar/logging/config.py", True),
        ("/venv/lib/python3.13/site-packages/django/utils/log.py", True),
        ("/srv/shop/views.py", False),
        ("/srv/shop/litestar.py", False),
        ("quart.py", False),
        ("", False),
        (None, False),
    ],
)
def test_who_logs_is_told_by_the_file(path, unhandled):
    record = logging.LogRecord("x", logging.ERROR, path or "", 1, "", (), None)
    record.pathname = path  # type: ignore[assignment]
    assert is_unhandled(ValueError(), record) is unhandled
    assert is_unhandled(ValueError(), None) is False
    assert is_unhandled(LitestarHTTPException(status_code=503), record) is False
    assert is_unhandled(RateLimited(), record) is unhandled


# -- answered after the `except` block -------------------------------------------------------------------------------


def answering(status: int, *, log: bool = False) -> Any:
    """As Falcon and others do: by the time of the answer there is no exception any more."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            apps.fail()
        except RuntimeError:
            if log:
                logging.getLogger("shop").exception("it failed")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("status", "counted"), [(500, "crashed"), (503, None), (404, None), (200, None)])
def test_a_bare_500_is_a_crash(start, mode, status, counted, log):
    """Any other status is meant, as it is where the exception can be seen."""
    transport = start()
    call(asgi_sentry.wrap(answering(status, log=log)))
    assert len(transport.items("event")) == log
    assert sessions(transport) == {counted or ("errored" if log else "exited"): 1}


def test_a_500_that_is_no_failure_is_no_crash(start):
    transport = start()
    call(asgi_sentry.SentryMiddleware(answering(500), failed_request_status_codes={503}))
    assert sessions(transport) == {"exited": 1}


@pytest.mark.parametrize("rule", [{"ignore_statuses": (500,)}, {"ignore_paths": ("/",)}])
def test_one_that_is_ignored_is_no_crash(start, rule):
    transport = start()
    app = asgi_sentry.compose(
        answering(500),
        partial(asgi_sentry.SentryMiddleware, report_failed_responses=True),
        partial(asgi_sentry.ErrorPolicyMiddleware, **rule),
    )
    call(app)
    assert transport.items("event") == []
    assert sessions(transport) == {"exited": 1}


def test_one_whose_logged_exception_is_ignored_is_no_crash(start):
    transport = start()
    app = asgi_sentry.compose(
        answering(500, log=True),
        partial(asgi_sentry.SentryMiddleware, report_failed_responses=True),
        partial(asgi_sentry.ErrorPolicyMiddleware, ignore=(RuntimeError,)),
    )
    call(app)
    assert transport.items("event") == []
    assert sessions(transport) == {"exited": 1}


# -- reporting them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
def test_a_failed_response_is_reported_for_itself(start, mode, status):
    transport = start()
    call(asgi_sentry.SentryMiddleware(answering(status), report_failed_responses=True))
    (event,) = transport.items("event")
    assert event["logentry"]["message"] == f"GET <unmatched> answered {status}"
    assert (event["level"], event["transaction"]) == ("error", "GET <unmatched>")


@pytest.mark.parametrize(("status", "log"), [(200, False), (404, False), (500, True)])
def test_not_where_it_did_not_fail_or_an_error_was_reported(start, mode, status, log):
    transport = start()
    call(asgi_sentry.SentryMiddleware(answering(status, log=log), report_failed_responses=True))
    assert len(transport.items("event")) == log


@pytest.mark.parametrize("path", ["/boom", "/http-500", "/teapot", "/logged", "/logged-in-worker", "/spoon"])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_never_beside_the_error_itself(start, mode, framework, path):
    transport = start()
    app = asgi_sentry.SentryMiddleware(apps.FRAMEWORKS[framework](), report_failed_responses=True)

    async def serve() -> None:
        try:
            await request(app, path=path)
        except RuntimeError:
            """The app's own."""

    anyio.run(serve)
    assert all("exception" in event for event in transport.items("event"))
    assert len(transport.items("event")) == (path != "/spoon")


def test_by_default_it_is_not_reported(start, mode):
    transport = start()
    call(asgi_sentry.wrap(answering(500)))
    assert transport.items("event") == []


# -- frameworks that answer so -----------------------------------------------------------------------------------------


def falcon() -> Any:
    pytest.importorskip("falcon")
    import falcon.asgi

    class Boom:
        async def on_get(self, *_: Any) -> None:
            apps.fail()

    app = falcon.asgi.App()
    app.add_route("/boom", Boom())
    return app


def quart() -> Any:
    pytest.importorskip("quart")
    from quart import Quart

    app = Quart("shop")

    @app.get("/boom")
    async def boom() -> None:
        apps.fail()

    return app


@pytest.mark.parametrize("build", [falcon, quart])
def test_frameworks_that_answer_after_their_except_block(start, build):
    transport = start(default_integrations=False)
    assert call(asgi_sentry.wrap(build()), "/boom") == 500
    assert sessions(transport) == {"crashed": 1}
