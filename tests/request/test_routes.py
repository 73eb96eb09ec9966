"""The name of a request: the whole template of its route, made of nothing that a client chose."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._request import starlette_routes
from asgi_sentry._request.routes import route_template, transaction_name, unrouted_name
from asgi_sentry.testing import request
from tests.strategies import route_paths

pytest.importorskip("starlette")

from fastapi import APIRouter, FastAPI
from fastapi import WebSocket as FastAPIWebSocket
from litestar import Controller, Litestar, Router, asgi, get
from litestar.types import Receive, Scope, Send
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

pytestmark = pytest.mark.anyio


class Pair:
    """A value that can't be made from its text by its type alone."""

    def __init__(self, left: int, right: int) -> None:
        self.both = left, right


class PairConvertor(Convertor[Pair]):
    regex = "[0-9]+-[0-9]+"

    def convert(self, value: str) -> Pair:
        left, right = value.split("-")
        return Pair(int(left), int(right))

    def to_string(self, value: Pair) -> str:
        return "{}-{}".format(*value.both)


register_url_convertor("asgisentrypair", PairConvertor())


async def ok(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def name_of(app: Any, path: str, method: str = "GET", **scope: Any) -> tuple[int, str]:
    """The status of the answer, and the name that the scope has afterwards."""
    seen: dict[str, Any] = {}

    async def keeping(scope: Any, receive: Any, send: Any) -> None:
        seen["scope"] = scope
        await app(scope, receive, send)

    headers = scope.pop("headers", ())
    response = await request(keeping, method, path, scope=scope, headers=headers)
    name = transaction_name(seen["scope"])
    with pytest.MonkeyPatch.context() as patched:  # the way for what is less usual says the same
        patched.setattr(starlette_routes, "_is_all", lambda *_: False)
        assert transaction_name(seen["scope"]) == name
    return response.status, name


# --- Starlette ----------------------------------------------------------------------------------------------------


def nested() -> Starlette:
    inner = [Route("/items/{item:int}", ok), Route("/list/", ok), Route("/", ok), Route("/files/{rest:path}", ok)]
    return Starlette(
        routes=[
            Route("/", ok),
            Route("/plain", ok, methods=["POST"]),
            Route("/files/{rest:path}", ok),
            Route("/{a}/x/{b}.{ext}", ok),
            Mount("/a/{x}", routes=[Route("/b/{y}", ok)]),
            Mount("/tenants/{tenant:int}", routes=[Mount("/v{version}", routes=inner), *inner]),
            Mount("/ids/{id}", routes=[Route("/of/{id}", ok)]),
            Mount("/uuid/{u:uuid}", routes=[Route("/f/{f:float}", ok)]),
            Mount("/deep/{dir:path}/end", routes=[Route("/list", ok)]),
            Mount("/pair/{p:asgisentrypair}", routes=[Route("/list", ok)]),
            Mount("/sub", app=Starlette(routes=[Mount("/{x}", routes=[Route("/list", ok)])])),
            Mount("/opaque/{x}", app=ok_app),
        ]
    )


async def ok_app(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("ok")(scope, receive, send)


U = "9f2c1f5e-7f0b-4b58-9f3d-0d1e2f3a4b5c"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "GET /"),
        ("/files/a", "GET /files/{rest}"),
        ("/files/a/b/c", "GET /files/{rest}"),
        ("/files/", "GET /files/{rest}"),
        ("/files//a", "GET /files/{rest}"),
        ("/files/////a//", "GET /files/{rest}"),
        ("/1/x/2.css", "GET /{a}/x/{b}.{ext}"),
        ("/a/1/b/2", "GET /a/{x}/b/{y}"),
        ("/a/a/b/a", "GET /a/{x}/b/{y}"),
        ("/a/b/b/b", "GET /a/{x}/b/{y}"),
        ("/tenants/7/items/8", "GET /tenants/{tenant}/items/{item}"),
        ("/tenants/007/items/008", "GET /tenants/{tenant}/items/{item}"),
        ("/tenants/7/list/", "GET /tenants/{tenant}/list/"),
        ("/tenants/7/", "GET /tenants/{tenant}/"),
        ("/tenants/7/v2/items/8", "GET /tenants/{tenant}/v{version}/items/{item}"),
        ("/tenants/7/v7/items/7", "GET /tenants/{tenant}/v{version}/items/{item}"),
        ("/tenants/7/v2/", "GET /tenants/{tenant}/v{version}/"),
        ("/tenants/7/v2/files//x//", "GET /tenants/{tenant}/v{version}/files/{rest}"),
        ("/ids/1/of/2", "GET /ids/{id}/of/{id}"),
        (f"/uuid/{U}/f/1.50", "GET /uuid/{u}/f/{f}"),
        (f"/uuid/{U.upper()}/f/1", "GET /uuid/{u}/f/{f}"),
        (f"/uuid/{U.replace('-', '')}/f/1", "GET /uuid/{u}/f/{f}"),
        ("/deep/1/2/3/end/list", "GET /deep/{dir}/end/list"),
        ("/deep/end/end/list", "GET /deep/{dir}/end/list"),
        ("/pair/1-2/list", "GET /pair/{p}/list"),
        ("/sub/1/list", "GET /sub/{x}/list"),
        ("/sub/sub/list", "GET /sub/{x}/list"),
        ("/opaque/1/any/2", "GET /opaque/{x}/{path}"),
        ("/opaque/opaque/", "GET /opaque/{x}/{path}"),
    ],
)
@pytest.mark.parametrize("root_path", ["", "/served", "/a"])
async def test_starlette_names_by_the_whole_template(path: str, name: str, root_path: str) -> None:
    status, found = await name_of(nested(), root_path + path, root_path=root_path)
    assert (status, found) == (200, name)


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/nothing/here", 404, "GET <unmatched>"),
        ("/tenants/x/items/1", 404, "GET <unmatched>"),
        ("/tenants/7/nothing", 404, "GET /tenants/{tenant}/{path}"),
        ("/plain", 405, "GET /plain"),
        ("/tenants/7/list", 307, "GET /tenants/{tenant}/{path}"),
        ("/plain/", 307, "GET <unmatched>"),
    ],
)
async def test_what_no_route_answers_has_the_name_of_what_did_match(path: str, status: int, name: str) -> None:
    assert await name_of(nested(), path) == (status, name)


async def test_static_files_share_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a")
    app = Starlette(routes=[Mount("/static", app=StaticFiles(directory=tmp_path))])
    assert await name_of(app, "/static/a.css") == (200, "GET /static/{path}")
    assert await name_of(app, "/static/nothing/at/all") == (404, "GET /static/{path}")


async def test_a_parameter_of_the_host_is_no_part_of_the_path() -> None:
    inside = Starlette(routes=[Mount("/api/{x}", routes=[Route("/list", ok)]), Route("/api", ok)])
    app = Starlette(routes=[Host("{sub}.example.org", app=inside)])
    for sub in ("api", "x", "list"):
        headers = [("host", f"{sub}.example.org")]
        assert await name_of(app, "/api/1/list", headers=headers) == (200, "GET /api/{x}/list")
        assert await name_of(app, "/api", headers=headers) == (200, "GET /api")


async def test_a_mount_below_a_middleware_is_found_through_it() -> None:
    class Plain:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    inner = Starlette(routes=[Mount("/x/{id}", routes=[Route("/y/{id}", ok)])])
    app = Starlette(routes=[Mount("/m/{id}", app=Plain(Plain(inner)))])
    assert await name_of(app, "/m/1/x/2/y/3") == (200, "GET /m/{id}/x/{id}/y/{id}")


async def test_a_mount_that_can_not_be_looked_into_gives_no_segment_away() -> None:
    inner = Starlette(routes=[Mount("/in/{p:asgisentrypair}", routes=[Route("/end", ok)])])

    async def closed(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    app = Starlette(routes=[Mount("/m", app=closed)])
    names = {(await name_of(app, f"/m/in/{i}-{i + 1}/end"))[1] for i in range(5)}
    assert names == {"GET /m/{p}/end"}


# --- FastAPI ------------------------------------------------------------------------------------------------------


def fast(**options: Any) -> FastAPI:
    app = FastAPI(**options)
    inner = APIRouter(prefix="/orgs/{org}")

    @inner.get("/items/{item}")
    async def read(org: str, item: int) -> str:
        return "ok"

    @inner.get("/")
    async def root(org: str) -> str:
        return "ok"

    @inner.get("/files/{rest:path}")
    async def files(org: str, rest: str) -> str:
        return "ok"

    outer = APIRouter(prefix="/v{version}")
    outer.include_router(inner, prefix="/in")
    app.include_router(outer, prefix="/api")

    @app.get("/direct/{x}")
    async def direct(x: str) -> str:
        return "ok"

    sub = FastAPI()
    sub.include_router(inner)
    app.mount("/sub/{tenant}", sub)
    return app


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/direct/1", "GET /direct/{x}"),
        ("/direct/direct", "GET /direct/{x}"),
        ("/api/v1/in/orgs/2/items/3", "GET /api/v{version}/in/orgs/{org}/items/{item}"),
        ("/api/v2/in/orgs/orgs/items/2", "GET /api/v{version}/in/orgs/{org}/items/{item}"),
        ("/api/v1/in/orgs/2/", "GET /api/v{version}/in/orgs/{org}/"),
        ("/api/v1/in/orgs/2/files/a//b/", "GET /api/v{version}/in/orgs/{org}/files/{rest}"),
        ("/sub/1/orgs/2/items/3", "GET /sub/{tenant}/orgs/{org}/items/{item}"),
        ("/sub/sub/orgs/orgs/items/3", "GET /sub/{tenant}/orgs/{org}/items/{item}"),
    ],
)
@pytest.mark.parametrize("how", ["no root_path", "of the server", "of the app", "of both"])
@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
async def test_fastapi_names_have_every_prefix(path: str, name: str, how: str) -> None:
    app = fast(root_path="/root") if how in {"of the app", "of both"} else fast()
    prefix = "" if how == "no root_path" else "/root"
    given = "/root" if how in {"of the server", "of both"} else ""
    status, found = await name_of(app, prefix + path, root_path=given)
    assert (status, found) == (200, name)


async def test_fastapi_answers_that_no_handler_gives() -> None:
    assert await name_of(fast(), "/nothing") == (404, "GET <unmatched>")
    assert (await name_of(fast(), "/direct/1", "POST"))[1] == "POST /direct/{x}"
    assert (await name_of(fast(), "/api/v1/in/orgs/2/items/no"))[1] == "GET /api/v{version}/in/orgs/{org}/items/{item}"


# --- Litestar -----------------------------------------------------------------------------------------------------


try:
    from litestar.params import FromPath
except ImportError:  # before 2.20 a parameter of the path is one by its name alone

    class FromPath:  # type: ignore[no-redef]
        def __class_getitem__(cls, kind: Any) -> Any:
            return kind


class Items(Controller):
    path = "/items"

    @get("/{item:int}")
    async def read(self, item: FromPath[int]) -> str:
        return "ok"

    @get("/")
    async def listed(self) -> str:
        return "ok"


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/orgs/a/items/7", 200, "GET /orgs/{org}/items/{item}"),
        ("/orgs/items/items/7", 200, "GET /orgs/{org}/items/{item}"),
        ("/orgs/a/items", 200, "GET /orgs/{org}/items"),
        ("/nothing", 404, "GET <unmatched>"),
    ],
)
async def test_litestar_names(path: str, status: int, name: str) -> None:
    app = Litestar([Router("/orgs/{org:str}", route_handlers=[Items])], openapi_config=None)
    assert await name_of(app, path) == (status, name)


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("ok")(scope, receive, send)


INNER = Starlette(routes=[Route("/in/{item}/", ok), Mount("/deep", app=_answer)])


def mounting(copy_scope: bool) -> Any:
    async def starlette(scope: Scope, receive: Receive, send: Send) -> None:
        await INNER(scope, receive, send)

    mounts = {"/r": _answer, "/s": starlette}
    return [asgi(path, is_mount=True, copy_scope=copy_scope)(app) for path, app in mounts.items()]


@pytest.mark.parametrize(
    ("path", "copied", "name"),
    [
        ("/v1/r/some/rest", True, "GET /v1/r/{path}"),
        ("/v1/r/some/rest", False, "GET /v1/r/{path}"),
        ("/v1/r", True, "GET /v1/r/{path}"),
        ("/v1/s/in/7", False, "GET /v1/s/in/{item}/"),
        ("/v1/s/deep/x", False, "GET /v1/s/deep/{path}"),
        ("/v1/s/no", False, "GET /v1/s/{path}"),
    ],
)
async def test_litestars_mounts_have_a_name(path: str, copied: bool, name: str) -> None:
    app = Litestar([Router("/v1", route_handlers=mounting(copied))], openapi_config=None)
    assert (await name_of(app, path))[1] == name
    around = Starlette(routes=[Mount("/orgs/{org}", app=app)])
    # Two routers, and a mount of Litestar's between them: what is within is not told.
    mount = "/v1/s" if "/s/" in path else "/v1/r"
    above = "" if "/deep/" in path else "/orgs/{org}"
    assert (await name_of(around, f"/orgs/7{path}"))[1] == f"GET {above}{mount}/{{path}}"


# --- websockets, methods, and scopes of every kind ----------------------------------------------------------------


async def test_websockets_are_named_like_requests() -> None:
    async def chat(socket: Any) -> None:
        await socket.accept()
        await socket.close()

    api = FastAPI()

    @api.websocket("/chat/{room}")
    async def fast_chat(socket: FastAPIWebSocket, room: str) -> None:
        await chat(socket)

    for app in (Starlette(routes=[Mount("/m/{x}", routes=[WebSocketRoute("/chat/{room}", chat)])]), api):
        path = "/m/1/chat/2" if isinstance(app, Starlette) and not isinstance(app, FastAPI) else "/chat/2"
        scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "root_path": ""}

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(_: Any) -> None:
            pass

        await app(scope, receive, send)
        assert transaction_name(scope) == ("WS /m/{x}/chat/{room}" if path[1] == "m" else "WS /chat/{room}")


@pytest.mark.parametrize(
    ("method", "name"),
    [("GET", "GET /x"), ("QUERY", "QUERY /x"), ("get", "HTTP /x"), ("\u202eGET", "HTTP /x"), ("A" * 999, "HTTP /x")],
)
def test_a_method_that_http_does_not_define_is_no_part_of_a_name(method: str, name: str) -> None:
    assert transaction_name({"type": "http", "method": method, "path": "/x", "route": "/x"}) == name
    assert unrouted_name({"type": "http", "method": method}) == name.replace("/x", "<unmatched>")


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "http"},
        {"type": "http", "route": None},
        {"type": "http", "route": object()},
        {"type": "http", "route": 7, "path_params": None},
        {"type": "http", "path_template": ""},
        {"type": "http", "path_template": 7},
    ],
)
def test_a_scope_without_a_route_has_no_template(scope: dict[str, Any]) -> None:
    assert route_template(scope) is None


def test_a_route_given_as_text_is_a_template() -> None:
    assert route_template({"type": "http", "route": "/x/{id:int}", "path": "/x/1"}) == "/x/{id}"


# --- the law: an outsider can't create names ----------------------------------------------------------------------

STARLETTE, FASTAPI = nested(), fast()


def declared(routes: Any, prefix: str = "") -> set[str]:
    """What can be a name, from the declarations alone; a mount may also answer for what it can't route."""
    names = set()
    for route in routes:
        here = prefix + route.path_format.removesuffix("/{path}") if isinstance(route, Mount) else prefix
        if isinstance(route, Mount):
            names |= {here + "/{path}"} | declared(route.routes, here)
        else:
            names.add(here + route.path_format)
    return names


@given(path=route_paths, method=st.sampled_from(["GET", "POST", "HEAD"]), root_path=st.sampled_from(["", "/a", "/x"]))
def test_names_of_starlette_are_declared_ones(path: str, method: str, root_path: str) -> None:
    _, name = run(lambda: name_of(STARLETTE, root_path + path, method, root_path=root_path))
    assert name.partition(" ")[2] in declared(STARLETTE.routes) | {"<unmatched>"}


FAST_NAMES = {
    "/direct/{x}",
    "/sub/{tenant}/{path}",
    "/openapi.json",
    "/docs",
    "<unmatched>",
    *(
        prefix + end
        for prefix in ("/api/v{version}/in/orgs/{org}", "/sub/{tenant}/orgs/{org}")
        for end in ("/items/{item}", "/", "/files/{rest}")
    ),
}


@given(path=route_paths, method=st.sampled_from(["GET", "POST"]), root_path=st.sampled_from(["", "/api"]))
def test_names_of_fastapi_are_declared_ones(path: str, method: str, root_path: str) -> None:
    _, name = run(lambda: name_of(FASTAPI, root_path + path, method, root_path=root_path))
    assert name.partition(" ")[2] in FAST_NAMES


def run(call: Callable[[], Any]) -> Any:
    """A coroutine function's result; none of these apps waits for anything that needs an event loop."""
    import anyio

    return anyio.run(call)


def test_any_path_by_hand_keeps_its_parameters_out_of_the_name() -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(3)]
    scopes = [
        {
            "type": "http",
            "method": "GET",
            "path": f"/p/{one}/r/{one}",
            "path_params": {"a": one, "b": one},
            "route": "/r/{b}",
        }
        for one in ids
    ]
    assert {transaction_name(scope) for scope in scopes} == {"GET /p/{a}/r/{b}"}
