"""Names from frameworks that leave nothing in the ASGI scope: each is asked by its own router."""

from __future__ import annotations

import sys
import types
from functools import partial
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import asgi_sentry
from asgi_sentry._request.app_routes import django_template
from asgi_sentry._request.routes import transaction_name
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import transactions

HOST = [("host", "shop.example")]


def names(transport: RecordingTransport, app: Any, *paths: str, **options: Any) -> list[str]:
    """What requests to these paths are called."""
    transport.clear()

    async def serve() -> None:
        for path in paths:
            await request(app, path=path, headers=HOST, **options)

    anyio.run(serve)
    # Not those that the SDK starts within a WSGI app.
    own = [root["name"] for root in transactions(transport)]
    return [name for name in own if name.startswith(("GET ", "shop", "tests.", __name__))]


def quart() -> Any:
    pytest.importorskip("quart")
    from quart import Quart

    app = Quart("shop")

    @app.get("/items/<int:item>")
    async def show_item(item: int) -> dict[str, int]:
        return {"item": item}

    return app


def flask() -> Any:
    pytest.importorskip("flask")
    pytest.importorskip("a2wsgi")
    from a2wsgi import WSGIMiddleware
    from flask import Flask

    app = Flask("shop")

    @app.get("/items/<int:item>")
    def show_item(item: int) -> dict[str, int]:
        return {"item": item}

    return WSGIMiddleware(app)


def flask_by_asgiref() -> Any:
    pytest.importorskip("flask")
    wsgi = pytest.importorskip("asgiref.wsgi")
    return wsgi.WsgiToAsgi(flask().app)


def falcon() -> Any:
    pytest.importorskip("falcon")
    import falcon.asgi

    class Item:
        async def on_get(self, _: Any, resp: Any, item: int) -> None:
            resp.media = {"item": item}

    app = falcon.asgi.App()
    app.add_route("/items/{item:int}", Item())
    return app


FRAMEWORKS = {
    "quart": quart,
    "flask, a2wsgi": flask,
    "flask, asgiref": flask_by_asgiref,
    "falcon": falcon,
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_route_is_that_of_the_apps_own_router(start, framework):
    transport = start()
    app = asgi_sentry.wrap(FRAMEWORKS[framework]())
    assert names(transport, app, "/items/7", "/nothing") == ["GET /items/{item}", "GET <unmatched>"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_is_found_through_other_peoples_middlewares(start, framework):
    transport = start()
    app = asgi_sentry.wrap(apps.Foreign(FRAMEWORKS[framework]()))
    assert names(transport, app, "/items/7") == ["GET /items/{item}"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_is_found_below_a_mount(start, framework):
    transport = start()
    app = asgi_sentry.wrap(Starlette(routes=[Mount("/v1/{tenant}", FRAMEWORKS[framework]())]))
    found = names(transport, app, "/v1/acme/items/7", "/v1/acme/nothing")
    assert found[0] == "GET /v1/{tenant}/items/{item}"
    assert "acme" not in found[1]
    assert "nothing" not in found[1]


@pytest.mark.parametrize("framework", ["quart", "falcon"])
def test_errors_have_the_name_too(start, framework):
    transport = start()
    app = FRAMEWORKS[framework]()
    wrapped = asgi_sentry.wrap(Saying(app))
    names(transport, wrapped, "/items/7")
    assert [event["transaction"] for event in transport.items("event")] == ["GET /items/{item}"]


class Saying:
    """Says something on behalf of each request."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asgi_sentry.capture_message("here")
        await self.app(scope, receive, send)


def test_blacksheep(start):
    blacksheep = pytest.importorskip("blacksheep")
    app = blacksheep.Application()

    @app.router.get("/items/{int:item}")
    async def show_item(item: int) -> str:
        return str(item)

    transport = start()
    anyio.run(app.start)
    assert names(transport, asgi_sentry.wrap(app), "/items/7", "/nothing") == ["GET /items/{item}", "GET <unmatched>"]


def test_socketio(start):
    socketio = pytest.importorskip("socketio")
    server = socketio.AsyncServer(async_mode="asgi")
    shop = Starlette(routes=[Route("/items/{item}", lambda _: PlainTextResponse("ok"))])
    app = asgi_sentry.wrap(socketio.ASGIApp(server, shop))
    transport = start()
    assert names(transport, app, "/items/7", "/socket.io/") == ["GET /items/{item}", "GET /socket.io/"]


def test_mcp(start):
    mcp = pytest.importorskip("mcp.server")
    server = getattr(mcp, "FastMCP", None) or getattr(mcp, "MCPServer", None)
    if server is None:
        pytest.skip("no server class that is known")
    inner = server("shop").streamable_http_app()
    app = asgi_sentry.wrap(Starlette(routes=[Mount("/tools", inner)]))
    transport = start()

    async def serve() -> None:
        async with inner.router.lifespan_context(inner):
            await request(app, path="/tools/mcp", headers=HOST)

    anyio.run(serve, backend="asyncio")
    assert [root["name"] for root in transactions(transport)] == ["GET /tools/mcp"]


# -- Django ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def django() -> Any:
    pytest.importorskip("django")
    import django
    from django.conf import settings
    from django.http import JsonResponse
    from django.urls import include, path, re_path

    def show_item(request: Any, item: int) -> JsonResponse:
        asgi_sentry.capture_message("here")
        return JsonResponse({})

    urls: Any = types.ModuleType("shop_urls")
    inner = [re_path(r"^orders/(?P<order>[0-9]{1,9})/$", show_item), path("items/<int:item>", show_item)]
    urls.urlpatterns = [path("items/<int:item>", show_item), path("v1/<slug:tenant>/", include(inner))]
    sys.modules["shop_urls"] = urls
    if not settings.configured:  # once a process, however its tests are dealt out
        settings.configure(
            ROOT_URLCONF="shop_urls", SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], USE_TZ=True
        )
    django.setup()
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


class Listening:
    """Django listens for the client's disconnect while it works, and our client hangs up at once."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        first = True

        async def patient() -> Any:
            nonlocal first
            if first:
                first = False
                return await receive()
            return await anyio.sleep_forever()

        await self.app(scope, patient, send)


@pytest.mark.parametrize("integrations", [True, False], ids=["with its integration", "without"])
def test_django(start, django, integrations):
    from sentry_sdk.integrations.django import DjangoIntegration

    transport = start(**({} if integrations else {"disabled_integrations": [DjangoIntegration]}))
    app = asgi_sentry.wrap(Listening(django))
    transport.clear()

    async def serve() -> None:
        for path in ("/items/7", "/nothing/7", "/v1/acme/items/7"):
            await request(app, path=path, headers=HOST)

    anyio.run(serve, backend="asyncio")
    roots = transactions(transport)
    assert [root["name"] for root in roots] == ["GET /items/{item}", "GET <unmatched>", "GET /v1/{tenant}/items/{item}"]
    if integrations:
        assert [root["source"] for root in roots] == ["route", "url", "route"]
    assert {event["transaction"] for event in transport.items("event")} == {
        "GET /items/{item}",
        "GET /v1/{tenant}/items/{item}",
    }


class _Somebody:
    is_authenticated = True
    pk = 7


@pytest.mark.filterwarnings("ignore:.*send_default_pii.*:DeprecationWarning")
@pytest.mark.parametrize("pii", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_djangos_user_is_found_if_the_app_asked_for_it(start, django, monkeypatch, asked, pii):
    """A lazy one that nobody asked for would ask the database now."""
    from django.utils.functional import SimpleLazyObject

    found = []

    def look_up() -> _Somebody:
        found.append(1)
        return _Somebody()

    def show_item(request: Any, item: int) -> Any:
        from django.http import JsonResponse

        request.user = SimpleLazyObject(look_up)
        if asked:
            assert request.user.is_authenticated
        asgi_sentry.capture_message("here")
        return JsonResponse({})

    from django.urls import clear_url_caches, path

    monkeypatch.setattr(sys.modules["shop_urls"], "urlpatterns", [path("items/<int:item>", show_item)])
    clear_url_caches()
    transport = start(send_default_pii=pii) if pii else start()
    anyio.run(partial(request, asgi_sentry.wrap(Listening(django)), path="/items/7", headers=HOST), backend="asyncio")
    clear_url_caches()
    (event,) = transport.items("event")
    if not pii:  # with it, the SDK's integration asks by itself
        assert found == [1] * asked
        assert event.get("user") == ({"id": "7"} if asked else None)
    else:
        assert event["user"] == {"id": "7"}


@pytest.mark.parametrize(
    ("route", "template"),
    [
        ("items/<int:item>", "/items/{item}"),
        ("items/<item>/", "/items/{item}/"),
        (r"^items/(?P<item>[0-9]+)/$", "/items/{item}/"),
        (r"v1/<slug:tenant>/^orders/(?P<order>(?:a|b)\d{1,9})/$", "/v1/{tenant}/orders/{order}/"),
        (r"^files/(.*)\.(?:txt)$", "/files/{var}."),
        ("", "/"),
        ("^", "/"),
        ("(", "/{var}"),
        ("\\", "/\\"),
    ],
)
def test_djangos_routes_are_templates(route, template):
    assert django_template(route) == template


# -- the team's own names --------------------------------------------------------------------------------------------


def endpoint(_: Any) -> PlainTextResponse:
    asgi_sentry.capture_message("here")
    return PlainTextResponse("ok")


class Endpoint:
    """An ASGI app as an endpoint."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await endpoint(None)(scope, receive, send)


def shop() -> Any:
    return Starlette(
        routes=[Route("/items/{item}", endpoint), Route("/partial", partial(endpoint)), Route("/object", Endpoint())]
    )


def test_by_endpoint(start, mode):
    transport = start()
    app = asgi_sentry.SentryMiddleware(shop(), name="endpoint")
    wanted = [f"{__name__}.endpoint", f"{__name__}.endpoint", f"{__name__}.Endpoint", "GET <unmatched>"]
    assert names(transport, app, "/items/7", "/partial", "/object", "/nothing") == wanted
    assert [root["source"] for root in transactions(transport)][:1] == ["component"]
    assert [event["transaction"] for event in transport.items("event")] == wanted[:3]


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_by_endpoint_in_each_framework(start, framework):
    transport = start()
    app = asgi_sentry.SentryMiddleware(apps.FRAMEWORKS[framework](), name="endpoint")
    (name,) = names(transport, app, "/items/7")
    assert name.startswith("tests.apps.")


def test_by_the_name_that_a_litestar_handler_gives_itself(start):
    """As the SDK's integration has it."""

    from litestar import Litestar, get

    @get("/", name="shop.home", sync_to_thread=False)
    def handler() -> str:
        return "ok"

    transport = start()
    app = asgi_sentry.SentryMiddleware(Litestar([handler], openapi_config=None), name="endpoint")
    assert names(transport, app, "/") == ["shop.home"]


def test_by_a_function(start, mode):
    transport = start()
    app = asgi_sentry.SentryMiddleware(shop(), name=lambda scope: f"shop {scope['path_params']['item']}")
    assert names(transport, app, "/items/7", "/nothing") == ["shop 7", "GET <unmatched>"]  # the second raised
    assert [root["source"] for root in transactions(transport)] == ["custom", "route"]


@pytest.mark.parametrize("given", [None, "", 7])
def test_a_function_that_gives_no_name_leaves_it_at_the_route(start, given):
    transport = start()
    app = asgi_sentry.SentryMiddleware(shop(), name=lambda _: given)
    assert names(transport, app, "/items/7") == ["GET /items/{item}"]


def test_a_name_that_is_none_is_refused():
    async def late(_: Any) -> str:
        return "late"

    for wrong in ("url", 7, None, late):
        with pytest.raises(ValueError, match="name must be"):
            asgi_sentry.SentryMiddleware(shop(), name=wrong)  # type: ignore[arg-type]


def test_connexion(start, mode):
    connexion = pytest.importorskip("connexion")

    async def answer(**_: Any) -> dict[str, str]:
        return {}

    async def boom() -> None:
        raise RuntimeError("boom")

    operations = {"answer": answer, "boom": boom}
    parameter = {"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}}
    ok = {"responses": {"200": {"description": "ok"}}}
    paths = {
        "/items/{id}": {"get": {"operationId": "answer", "parameters": [parameter], **ok}},
        "/boom": {"get": {"operationId": "boom", **ok}},
    }
    specification = {"openapi": "3.0.0", "info": {"title": "shop", "version": "1"}, "paths": paths}
    app = connexion.AsyncApp("shop")
    app.add_api(specification, base_path="/v1", resolver=connexion.resolver.Resolver(operations.__getitem__))
    transport = start()
    wrapped = asgi_sentry.wrap(app)
    assert names(transport, wrapped, "/v1/items/7", "/v1/boom") == ["GET /v1/items/{id}", "GET /v1/boom"]
    (event,) = transport.items("event")  # it logs what nobody handled
    assert event["exception"]["values"][-1]["mechanism"]["handled"] is False


def test_sanic():
    pytest.importorskip("sanic")
    from sanic import Sanic
    from sanic.response import text

    app = Sanic("shop_of_routes")  # the process knows each by its name

    @app.get("/items/<item:int>")
    async def show_item(_: Any, item: int) -> Any:
        return text(str(item))

    app.router.finalize()
    scope = {"type": "http", "method": "GET", "path": "/items/7", "headers": [(b"host", b"shop.example")]}
    assert transaction_name(scope, app) == "GET /items/{item}"
    assert transaction_name({**scope, "path": "/nothing"}, app) == "GET <unmatched>"
