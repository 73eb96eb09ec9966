"""What users write, with each framework: `tests/test_types.py` has mypy look at it, strictly. It is not run."""

import re
from functools import partial

from fastapi import FastAPI
from litestar import Litestar, get
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp as LitestarApp
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp as StarletteApp

import asgi_sentry
from asgi_sentry import (
    DEFAULT_RULES,
    BodyScrubbingMiddleware,
    ErrorPolicyMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    Rate,
    Rule,
    Scrubber,
    SentryMiddleware,
    Settings,
    TransactionFilterMiddleware,
    UserContextMiddleware,
    compose,
    init,
    wrap,
)
from asgi_sentry.keep import errors, slower_than, status
from asgi_sentry.testing import RecordingTransport, request
from asgi_sentry.types import ASGIApp, Message, Receive, Scope, Send


@get("/")
async def index() -> dict[str, int]:
    return {}


settings: Settings = init(
    Settings(dsn="https://k@example.com/1", rates={"/a": 0.1}), before_send=lambda event, hint: event
)
star = Starlette(
    middleware=[
        Middleware(PathSamplingMiddleware, rates={"/a": Rate(0.1, at_most="5/second")}, default=0.5),
        Middleware(SentryMiddleware, websockets="off"),
    ]
)
star.add_middleware(TransactionFilterMiddleware, exclude=("/x", re.compile("/y"), lambda scope: bool(scope["path"])))
star.add_middleware(PathSamplingMiddleware, rates={"/a": 0.1}, keep=(errors(), slower_than(1.5), status(429)))
fast = FastAPI(middleware=[Middleware(UserContextMiddleware, fields=("id", "email"), resolve=lambda scope: {"id": 1})])
fast.add_middleware(HeaderScrubbingMiddleware, deny=("x-internal",), scrubber=Scrubber())
lite = Litestar(
    [index],
    middleware=[
        DefineMiddleware(PathSamplingMiddleware, rates={"/a": 0.1}),
        DefineMiddleware(SentryMiddleware),
        BodyScrubbingMiddleware,
    ],
)


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    message: Message = await receive()
    await send(message)


def outer(app: ASGIApp) -> ASGIApp:
    return app


one: StarletteApp = wrap(star)
two: StarletteApp = wrap(fast, settings)
three: LitestarApp = wrap(lite)
four: StarletteApp = compose(
    plain,
    SentryMiddleware,
    partial(ErrorPolicyMiddleware, ignore=(ValueError,)),
    Middleware(PathSamplingMiddleware, rates={"/a": 1.0}),
    outer,
)
five: LitestarApp = compose(lite, SentryMiddleware, outer)
six = UserContextMiddleware(lite, pseudonymize_with="key")
seven: StarletteApp = SentryMiddleware(fast)
fast.add_middleware(BodyScrubbingMiddleware)
fast.mount("/lite", six)


async def tests() -> tuple[int, bytes, object]:
    response = await request(one, "GET", "/", headers=[("a", "b")])
    transport = RecordingTransport()
    return response.status, response.body, [transport.items("event")[0]["message"], transport.lost]


@asgi_sentry.trace_function("op")
def f(x: int) -> str:
    return str(x)


@asgi_sentry.trace_function("op", name="g")
async def g(x: int) -> str:
    return str(x)


async def h() -> int:
    return len(f(1)) + len(await g(2))


asgi_sentry.capture_exception(ValueError(), level="warning", tags={"a": "b"}, extra={"c": 1})
asgi_sentry.set_user_context(5, email="x")
scrubbed: object = Scrubber(rules=(*DEFAULT_RULES, Rule("@x", r"x\d")), on_redact=lambda path, rule: None).scrub(
    {"a": 1}
)
