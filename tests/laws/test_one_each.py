"""Law 3: one transaction a request and one error an exception, whatever else is installed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

import asgi_sentry
from asgi_sentry.testing import request
from tests import apps
from tests.outcomes import (
    COUNTED,
    CRASHED,
    ERRORED,
    OK,
    PLAIN_SETUPS,
    SETUPS,
    call,
    errors,
    expected,
    outcomes,
    sessions,
    sessions_of,
    told,
)


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_one_transaction_and_one_error(start, mode, framework, setup):
    transport = start()
    app = SETUPS[setup](apps.FRAMEWORKS[framework])
    paths = told(setup)
    if framework == "litestar" and setup in {"the SDK's outside, ours inside", "the SDK's within"}:
        # The SDK's middleware reports the one exception, and ours the other that Litestar wraps it in.
        paths -= {"/background", "/streams"}
    assert outcomes(app, transport, paths) == {path: expected(framework)[path] for path in paths}


# -- with a plain `sentry_sdk.init`, whose framework integrations are on ----------------------------------------------


def run_plain(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.plain", *arguments]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=root)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return run_plain()


@pytest.fixture(scope="module")
def sdk_alone() -> dict[str, Any]:
    return run_plain("sdk")


@pytest.mark.parametrize("setup", PLAIN_SETUPS)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_one_transaction_and_one_error_with_the_sdks_integrations(plain, mode, framework, setup):
    wanted = expected(framework)
    for path in told(setup):
        roots, reported = plain[mode][framework][setup][path]
        assert [tuple(root) for root in roots] == wanted[path][0], path
        kinds = [tuple(kinds) for kinds, _ in reported]
        if framework == "litestar" and path == "/spoon":
            assert kinds == [("Spoon",)]  # its integration reports whatever a handler answers
        elif framework == "litestar" and path in {"/background", "/streams"}:
            assert 1 <= len(kinds) <= 2, path  # Litestar's wrapper is another exception
        else:
            assert kinds == [kinds for kinds, _ in wanted[path][1]], path


def test_init_twice_is_init_once(start, mode):
    start()
    transport = start()
    app = asgi_sentry.wrap(apps.fastapi_app())
    assert outcomes(app, transport, ["/boom"]) == {"/boom": expected("fastapi")["/boom"]}


# -- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_sessions_are_those_that_the_sdk_counts(start, sdk_alone, mode, framework, setup):
    """A request is one session, and crashed, errored or exited as with the SDK alone; an excluded one is none."""
    transport = start()
    app = SETUPS[setup](apps.FRAMEWORKS[framework])
    wanted = dict(sdk_alone[mode][framework])
    # The SDK does not report what custom handlers answer with 503; its Litestar integration reports all they answer.
    wanted |= {"/teapot": {ERRORED: 1}, "/kettle": {ERRORED: 1}, "/spoon": {OK: 1}}
    wanted["/http-500"] = {ERRORED: 1}  # and calls that one unhandled
    # The SDK takes what a thread has logged for another error, and that one for a crash.
    wanted |= {"/logged-in-thread": wanted["/logged"], "/logged-in-worker": wanted["/logged"]}
    assert sessions_of(app, transport, COUNTED) == wanted
    excludes = setup not in {"one layer alone", "one layer inside"}
    assert sessions_of(app, transport, ["/health"]) == {"/health": {} if excludes else {OK: 1}}


def test_an_exception_that_litestar_answers_by_itself_is_a_crash(start, mode):
    transport = start()
    anyio.run(call, asgi_sentry.wrap(apps.litestar_app()), "/boom")
    assert sessions(transport) == {CRASHED: 1}


def test_no_session_without_a_release(start, mode):
    transport = start(asgi_sentry.Settings(dsn="http://k@localhost/1", traces_sample_rate=1.0), release="")
    anyio.run(call, asgi_sentry.wrap(apps.starlette_app()), "/boom")
    assert sessions(transport) == {}


# -- servers' own error logs, and what apps log ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uvicorn.error", "hypercorn.error", "_granian", "app"])
@pytest.mark.parametrize("handled_within", [True, False])
def test_an_error_log_of_the_server_is_no_second_error(start, mode, name, handled_within):
    transport = start()
    app = asgi_sentry.wrap(apps.starlette_app())

    async def serve() -> None:
        try:
            await request(app, path="/boom")
        except RuntimeError as exc:
            if handled_within:
                logging.getLogger(name).exception("Exception in ASGI application")
            else:
                logging.getLogger(name).error("Exception in ASGI application", exc_info=exc)

    anyio.run(serve)
    assert errors(transport) == [(("RuntimeError",), False)]


def test_two_different_errors_of_a_request_are_two(start, mode):
    def work(_: Any) -> None:
        for text in ("one", "two"):
            try:
                apps.fail(text)
            except RuntimeError as exc:
                asgi_sentry.capture_exception(exc)
                asgi_sentry.capture_exception()
                logging.getLogger("app").exception("it failed")
        asgi_sentry.capture_message("three")
        asgi_sentry.capture_message("three")

    transport = start()
    anyio.run(call, asgi_sentry.wrap(apps.starlette_app(work=work)), "/work")
    found = [event.get("message") or event["exception"]["values"][0]["value"] for event in transport.items("event")]
    assert found == ["one", "two", "three", "three"]


def test_the_same_exception_in_two_requests_is_two(start, mode):
    """Such as one that a module raises again and again."""
    broken = RuntimeError("boom")

    def work(_: Any) -> None:
        raise broken

    transport = start()
    app = asgi_sentry.wrap(apps.starlette_app(work=work))
    for _ in range(2):
        anyio.run(call, app, "/work")
        asgi_sentry.capture_message("in between")  # the SDK itself drops what equals the last one
    assert [kinds for kinds, _ in errors(transport)] == [("RuntimeError",), (), ("RuntimeError",), ()]
