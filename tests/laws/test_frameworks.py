"""What the three frameworks show of a request: names from their routes, users from their authentication, bodies."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest
from fastapi import Depends, FastAPI
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import asgi_sentry
from asgi_sentry.testing import request
from tests import apps
from tests.conftest import transactions


def serve(app: Any, path: str, **arguments: Any) -> Any:
    return anyio.run(partial(request, app, path=path, **arguments))


def say(text: str = "here") -> None:
    asgi_sentry.capture_message(text)


# -- users -------------------------------------------------------------------------------------------------------------


def starlette_with_users() -> Any:
    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            return AuthCredentials(), _User(conn.headers.get("x-user", "nobody"))

    class _User(SimpleUser):
        @property
        def identity(self) -> str:
            return self.username

    def endpoint(_: Any) -> PlainTextResponse:
        say()
        return PlainTextResponse("ok")

    return Starlette(
        routes=[Route("/", endpoint)], middleware=[Middleware(AuthenticationMiddleware, backend=Backend())]
    )


def fastapi_with_users() -> Any:
    app = FastAPI(openapi_url=None)

    def user() -> None:
        asgi_sentry.set_user_context("ada", username="Ada")  # in a worker thread, where sync dependencies run

    @app.get("/", dependencies=[Depends(user)])
    async def endpoint() -> None:
        say()

    return app


def litestar_with_users() -> Any:
    class Users(AbstractAuthenticationMiddleware):
        async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
            return AuthenticationResult(user={"id": connection.headers["x-user"], "email": "a@b.example"}, auth=None)

    @get("/")
    async def endpoint(request: Request[Any, Any, Any]) -> None:
        say()

    return Litestar([endpoint], middleware=[Users], openapi_config=None)


@pytest.mark.parametrize("build", [starlette_with_users, fastapi_with_users, litestar_with_users])
def test_the_user_is_known_from_outside_of_the_authentication(start, mode, build):
    transport = start()
    serve(asgi_sentry.wrap(build()), "/", headers=[("x-user", "ada")])
    (event,) = transport.items("event")
    assert event["user"] == {"id": "ada"}
    assert [root["user"] for root in transactions(transport)] == ["ada"]


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_mounted_app_is_named_with_its_mount(start, mode):
    transport = start()
    inner = apps.starlette_app()
    outer = Starlette(routes=[Mount("/v1/{tenant}", inner), Route("/own", lambda _: PlainTextResponse("ok"))])
    app = asgi_sentry.wrap(outer)
    for path in ("/v1/acme/items/7", "/v1/globex/items/8", "/own", "/v1/acme/nothing", "/nothing"):
        serve(app, path)
    names = [root["name"] for root in transactions(transport)]
    assert names[:3] == ["GET /v1/{tenant}/items/{item_id}", "GET /v1/{tenant}/items/{item_id}", "GET /own"]
    assert not any(word in name for name in names for word in ("acme", "globex", "nothing"))


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_a_layer_within_a_mounted_app_joins_the_request(start, mode, framework):
    """Its request's record was opened further out; there is one transaction."""
    transport = start()
    inner = apps.FRAMEWORKS[framework]([(asgi_sentry.HeaderScrubbingMiddleware, {})], work=lambda _: say())
    app = asgi_sentry.SentryMiddleware(Starlette(routes=[Mount("/in", inner)]))
    serve(app, "/in/work", headers=[("x-word", "kept")])
    assert len(transactions(transport)) == 1
    (event,) = transport.items("event")
    assert event["request"]["headers"]["x-word"] == "kept"


# -- bodies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_an_app_reads_its_body_whole_and_an_event_has_it_scrubbed(start, mode, framework):
    async def work(request: Any) -> int:
        size = len(await request.body())
        say()
        return size

    transport = start()
    app = asgi_sentry.wrap(apps.FRAMEWORKS[framework](work=work))
    body = b'{"password": "qX7mPz41vRt9Kd3w", "city": "Ulm"}'
    headers = [("content-type", "application/json")]
    answer = serve(app, "/work", method="POST", body=body, headers=headers)
    assert answer.body == b'{"worked":%d}' % len(body)
    (event,) = transport.items("event")
    assert event["request"]["data"] == {"password": "[Filtered]", "city": "Ulm"}


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_a_body_that_nobody_reads_is_not_read(start, mode, framework):
    transport = start()
    app = asgi_sentry.wrap(apps.FRAMEWORKS[framework](work=lambda _: say()))

    async def serve_unread() -> None:
        async def receive() -> Any:
            raise AssertionError("nobody asked for the body")

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "GET", "path": "/items/7", "raw_path": b"/items/7", "query_string": b"",
            "headers": [(b"content-length", b"9")], "root_path": "", "asgi": {"version": "3.0"}, "scheme": "http",
            "http_version": "1.1", "client": None, "server": None,
        }  # fmt: skip
        await app(scope, receive, send)
        assert sent[0]["status"] == 200

    anyio.run(serve_unread)
    assert [root["name"] for root in transactions(transport)] == ["GET /items/{item_id}"]
