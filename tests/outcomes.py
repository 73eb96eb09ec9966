"""The ways to put a stack and an app together, and what must come of each request to it, whichever was taken."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import anyio
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


@cache
def _base_loses_background() -> bool:
    """Whether `BaseHTTPMiddleware` swallows what background work raises, as Starlette's does that was before 0.46."""

    async def main() -> bool:
        try:
            await request(apps.Base(apps.starlette_app()), path="/background")
        except RuntimeError:
            return False
        return True

    return anyio.run(main)


def told(setup: str) -> set[str]:
    """The paths whose errors get as far as a setup's layers: what a framework swallows, nobody around it can see."""
    if setup in {"base between", "base within, and a layer in it"} and _base_loses_background():
        return {*EXPECTED} - {"/background"}
    return {*EXPECTED}


def errors(transport: RecordingTransport) -> list[tuple[tuple[str, ...], bool]]:
    """Each error's exception types, the cause first, and whether the last of them was handled."""
    found = []
    for event in transport.items("event"):
        values = event.get("exception", {"values": []})["values"]
        kinds = [value["type"] for value in values]
        # Litestar wraps what is raised after the response began in another exception, once for each of its middlewares.
        kept = [kind for at, kind in enumerate(kinds) if kind != "LitestarException" or at == kinds.index(kind)]
        # Groups of tasks stand in between by the versions of Python, anyio and Starlette.
        kept = [kind for kind in kept if kind not in {"ExceptionGroup", "CancelledError"}] or kept
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
        # The SDK's own middleware takes off causes: of what Litestar raises around one, its own text is left then.
        known = {"boom", "Exception caught after response started"}
        if known.isdisjoint(str(each) for each in apps.unrolled(exc)):
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
    if framework == "litestar" and path in {"/background", "/streams"}:
        kinds = (*kinds, "LitestarException")
    return kinds, handled


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
