# ruff: noqa: G004 - servers log finished texts
"""Server logs of errors that were reported: recognised by the line that names the exception, once each."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import Any

import anyio
import pytest

import asgi_sentry
from asgi_sentry._request.reported import Reported
from asgi_sentry.testing import request
from tests.conftest import Start

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

SECRET = "qJ8x2LmV5tRw9ZbK3nYc"
LOGGERS = ["_granian.utils", "_granian", "daphne.server", "uvicorn.error", "hypercorn.error", "gunicorn.error"]


def raised(exc: BaseException) -> str:
    try:
        raise exc
    except BaseException:
        return traceback.format_exc()


ERRORS = [
    ValueError("kaput"),
    ValueError("two\nlines"),
    KeyError("k"),
    ValueError(),
    ExceptionGroup("several", [ValueError("kaput")]),
    SyntaxError("odd", ("file.py", 1, 1, "x = = 1")),
    type("Unshown", (Exception,), {"__str__": lambda self: 1 / 0})(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_text_is_recognised_once_for_each_report(error):
    seen = Reported(clock=lambda: 0.0)
    text = "Application callable raised an exception\n" + raised(error)
    assert not seen.take(None, text)
    seen.note(error)
    seen.note(error)
    assert [seen.take(None, text) for _ in range(3)] == [True, True, False]


def test_another_error_is_another():
    seen = Reported(clock=lambda: 0.0)
    seen.note(ValueError("kaput"))
    assert not seen.take(None, raised(ValueError("other")))
    assert not seen.take(ValueError("other"), "")
    assert seen.take(ValueError("kaput"), "")


def test_it_is_forgotten_after_a_minute_and_there_are_never_many():
    now = 0.0
    seen = Reported(clock=lambda: now)
    seen.note(ValueError("kaput"))
    now = 61.0
    assert not seen.take(ValueError("kaput"), "")
    for number in range(1_000):
        seen.note(ValueError(number))
    assert seen.take(ValueError(999), "")
    assert not seen.take(ValueError(0), "")
    for _ in range(1_000):
        seen.note(ValueError("kaput"))
    assert len(seen._lines) <= 256
    assert all(len(times) <= 256 for times in seen._lines.values())


def test_no_text_is_kept():
    seen = Reported()
    seen.note(ValueError(SECRET))
    assert SECRET not in repr(seen._lines)


async def boom(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError(f"refused: {SECRET}")


def fail(app: Any) -> BaseException:
    try:
        anyio.run(lambda: request(app, headers=[("authorization", f"Bearer {SECRET}")]))
    except ValueError as exc:
        return exc
    raise AssertionError


@pytest.mark.parametrize("logger", LOGGERS)
@pytest.mark.parametrize("form", ["text", "exc_info", "arguments"])
def test_a_server_that_logs_outside_of_the_request_makes_no_second_event(start: Start, logger: str, form: str) -> None:
    transport = start()
    app = asgi_sentry.wrap(boom)
    for _ in range(2):
        exc = fail(app)
        if form == "text":
            logging.getLogger(logger).error(f"Application callable raised an exception\n{raised(exc)}")
        elif form == "arguments":
            logging.getLogger(logger).error("Exception inside application: %s\n%s", exc, raised(exc))
        else:
            logging.getLogger(logger).error("Exception in ASGI application", exc_info=exc)
    assert [event["exception"]["values"][-1]["type"] for event in transport.items("event")] == ["ValueError"] * 2
    assert SECRET not in json.dumps(transport.items("event"))


def test_an_error_that_a_rule_ignores_is_not_sent_by_its_servers_log(start: Start) -> None:
    transport = start()
    exc = fail(asgi_sentry.ErrorPolicyMiddleware(boom, ignore=(ValueError,)))
    logging.getLogger("daphne.server").error("Exception inside application: %s\n%s", exc, raised(exc))
    assert transport.items("event") == []


def test_what_servers_log_of_themselves_and_apps_of_errors_is_sent(start: Start) -> None:
    transport = start()
    exc = fail(asgi_sentry.wrap(boom))
    logging.getLogger("uvicorn.error").error("Address already in use")
    logging.getLogger("uvicorn.error").error(f"Exception\n{raised(OSError('of the server'))}")
    logging.getLogger("app").error(f"the app's own\n{raised(exc)}")
    assert len(transport.items("event")) == 4
