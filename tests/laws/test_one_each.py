"""Law 3: one transaction a request and one error an exception, whatever else is installed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import transactions

# -- the ways to put it together ------------------------------------------------------------------------------------

STACK = (
    asgi_sentry.SentryMiddleware,
    asgi_sentry.TransactionFilterMiddleware,
    asgi_sentry.UserContextMiddleware,
    asgi_sentry.HeaderScrubbingMiddleware,
    asgi_sentry.BodyScrubbingMiddleware,
)
INSIDE = [(cls, {}) for cls in STACK]


def _hand_made(app: Any) -> Any:
    return SentryAsgiMiddleware(app)


SETUPS: dict[str, Any] = {
    "wrap": lambda build: asgi_sentry.wrap(build()),
    "wrap twice": lambda build: asgi_sentry.wrap(asgi_sentry.wrap(build())),
    "inside": lambda build: build(INSIDE),
    "inside and outside": lambda build: asgi_sentry.wrap(build(INSIDE)),
    "one layer alone": lambda build: asgi_sentry.UserContextMiddleware(build()),
    "one layer inside": lambda build: build([(asgi_sentry.HeaderScrubbingMiddleware, {})]),
    "the SDK's outside": lambda build: _hand_made(asgi_sentry.wrap(build())),
    "the SDK's inside": lambda build: asgi_sentry.wrap(_hand_made(build())),
    "the SDK's outside, ours inside": lambda build: _hand_made(build(INSIDE)),
    "the SDK's within": lambda build: asgi_sentry.wrap(build([(SentryAsgiMiddleware, {})])),
    "base between": lambda build: asgi_sentry.compose(build(), *STACK[:2], apps.Base, *STACK[2:]),
    "base outside": lambda build: apps.Base(asgi_sentry.wrap(build())),
    "base within, and a layer in it": lambda build: asgi_sentry.wrap(
        build([(apps.Base, {}), (asgi_sentry.SentryMiddleware, {})])
    ),
    "closures between": lambda build: asgi_sentry.compose(build(), STACK[0], apps.hiding, *STACK[1:], apps.hiding),
}

# The SDK's Starlette integration can't patch the SDK's own middleware, which has slots.
PLAIN_SETUPS = [name for name in SETUPS if name != "the SDK's within"]

# -- what must come of a request ------------------------------------------------------------------------------------

OK, CRASHED, ERRORED = "exited", "crashed", "errored"
# path: status of the transaction, exception types reported, handled
EXPECTED: dict[str, tuple[int, tuple[str, ...], bool | None]] = {
    "/items/7": (200, (), None),
    "/http-404": (404, (), None),
    "/spoon": (418, (), None),
    "/boom": (500, ("RuntimeError",), False),
    "/boom-in-thread": (500, ("RuntimeError",), False),
    "/caused": (500, ("RuntimeError", "ValueError"), False),
    "/http-500": (500, ("HTTPException",), True),
    "/teapot": (503, ("Teapot",), True),
    "/kettle": (503, ("Kettle",), True),
    "/logged": (500, ("RuntimeError",), True),  # the log was first
    "/swallowed": (200, ("RuntimeError",), True),
    "/logged-in-thread": (500, ("RuntimeError",), True),
    "/logged-in-worker": (500, ("RuntimeError",), True),
    "/background": (200, ("RuntimeError",), False),
    "/streams": (200, ("RuntimeError",), False),
}


def errors(transport: RecordingTransport) -> list[tuple[tuple[str, ...], bool]]:
    """Each error's exception types, the cause first, and whether the last of them was handled."""
    found = []
    for event in transport.items("event"):
        values = event.get("exception", {"values": []})["values"]
        kinds = [value["type"] for value in values]
        # Litestar wraps what is raised after the response began in another exception, once for each of its middlewares.
        kept = [kind for at, kind in enumerate(kinds) if kind != "LitestarException" or at == kinds.index(kind)]
        found.append((tuple(kept), values[-1]["mechanism"]["handled"] if values else None))
    return found


def sessions(transport: RecordingTransport) -> Counter[str]:
    sentry_sdk.flush()
    counted: Counter[str] = Counter()
    for payload in transport.items("sessions"):
        for aggregate in payload["aggregates"]:
            counted.update({key: value for key, value in aggregate.items() if key != "started"})
    return counted


async def call(app: Any, path: str, method: str = "GET") -> None:
    try:
        await request(app, method, path)
    except Exception as exc:
        if "boom" not in {str(each) for each in apps.unrolled(exc)}:
            raise


def outcomes(app: Any, transport: RecordingTransport, paths: Any = EXPECTED) -> dict[str, Any]:
    """What was sent for each path: the transactions, and the errors."""
    seen: dict[str, Any] = {}

    async def call_all() -> None:
        for path in paths:
            transport.clear()
            await call(app, path)
            roots = transactions(transport)
            seen[path] = ([(root["name"], root["status"]) for root in roots], errors(transport))

    anyio.run(call_all)
    return seen


def expected(framework: str) -> dict[str, Any]:
    return {
        path: ([(_named(path), _status(framework, path))], [_reported(framework, path)] if kinds else [])
        for path, (_, kinds, _) in EXPECTED.items()
    }


def _named(path: str) -> str:
    return "GET /items/{item_id}" if path == "/items/7" else f"GET {path}"


def _status(framework: str, path: str) -> int:
    status = EXPECTED[path][0]
    return 201 if framework == "litestar" and status == 200 and not path.startswith("/items") else status


def _reported(framework: str, path: str) -> tuple[tuple[str, ...], bool | None]:
    _, kinds, handled = EXPECTED[path]
    if framework == "litestar":
        if path == "/background":
            kinds = (*kinds, "LitestarException")
        if path == "/streams":
            kinds = ("ExceptionGroup", "LitestarException")
    return kinds, handled


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_one_transaction_and_one_error(start, mode, framework, setup):
    transport = start()
    app = SETUPS[setup](apps.FRAMEWORKS[framework])
    paths = set(EXPECTED)
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
    for path, (roots, reported) in plain[mode][framework][setup].items():
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

COUNTED = [path for path in EXPECTED if path not in {"/background", "/streams"}]


def sessions_of(app: Any, transport: RecordingTransport, paths: Any) -> dict[str, Counter[str]]:
    """How many sessions ended how, for each path."""
    found = {}

    async def count() -> None:
        for path in paths:
            sentry_sdk.flush()
            transport.clear()
            await call(app, path)
            found[path] = sessions(transport)

    anyio.run(count)
    return found


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


def errors_only(transport: RecordingTransport) -> list[tuple[tuple[str, ...], bool]]:
    for envelope in transport.envelopes:
        envelope.items[:] = [
            item for item in envelope.items if item.type != "event" or "exception" in item.payload.json
        ]
    return errors(transport)
