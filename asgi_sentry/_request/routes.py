"""The name of a request's transaction.

From the route that matched, from its endpoint, or from the team's function. Each framework has an
adapter, which finds the template of the route: Litestar leaves it in the scope, `starlette_routes`
reads what Starlette and FastAPI leave, and `app_routes` asks the routers of the others. What
matched nothing has no name of its own, since paths come from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry import _faults as faults
from asgi_sentry._request.app_routes import Found, route_within
from asgi_sentry._request.starlette_routes import (
    is_mount,
    matched_route,
    mounted_at,
    segments_above,
    template_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    NameStyle = str | Callable[[Mapping[str, Any]], Any]

UNMATCHED = "<unmatched>"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"}
)


class Name(NamedTuple):
    """What a transaction is called, and where that comes from, in Sentry's terms."""

    name: str
    # Https://develop.sentry.dev/sdk/event-payloads/transaction/#transaction-annotations.
    source: str


def name_of(scope: Mapping[str, Any], app: Any = None, *, style: NameStyle = "route") -> Name:
    """What a request is called.

    By route it is method and template, such as `GET /items/{id}`, `WS /chat/{room}` or `GET
    <unmatched>`. By endpoint it is the function or class that the route leads to, such as
    `shop.views.show_item`, or what a Litestar handler is called by its own `name`.

    Args:
        scope: as the router left it.
        app: the app that was called.
        style: `route`, `endpoint`, or a function of the scope. Where that returns nothing, or
            fails, or where there is no endpoint, it is the name by route.
    """
    if callable(style):
        try:
            made = style(scope)
        except Exception as exc:
            faults.note("name", exc, "the transaction is named by its route")
        else:
            if isinstance(made, str) and made:
                return Name(made, "custom")
    elif style == "endpoint":
        found = found_route(scope, app)
        name = None
        if found is not None:
            name = found.called or _qualified(found.endpoint)
        if name is not None:
            return Name(name, "component")
    return Name(transaction_name(scope, app), "route")


def transaction_name(scope: Mapping[str, Any], app: Any = None) -> str:
    """The name by route.

    A method that HTTP does not define becomes `HTTP`, since methods come from outside.
    """
    return name_by_route(scope, route_template(scope, app)).name


def name_by_route(scope: Mapping[str, Any], template: str | None) -> Name:
    """The same of a route that is known by its template."""
    return Name(f"{_verb(scope)} {template or UNMATCHED}", "route")


def unrouted_name(scope: Mapping[str, Any]) -> str:
    """The name of a request that no route has matched, or not yet."""
    return f"{_verb(scope)} {UNMATCHED}"


def _verb(scope: Mapping[str, Any]) -> str:
    if scope["type"] == "websocket":
        return "WS"
    method = scope.get("method", "")
    return method if method in _METHODS else "HTTP"


def _qualified(endpoint: Any) -> str | None:
    """The full name of a function or a class, through `functools.partial` and decorators.

    Of an object, its class.
    """
    while hasattr(endpoint, "func") and not hasattr(endpoint, "__qualname__"):
        endpoint = endpoint.func
    if endpoint is None:
        return None
    if not hasattr(endpoint, "__qualname__"):
        endpoint = type(endpoint)
    return f"{endpoint.__module__}.{endpoint.__qualname__}"


def route_template(scope: Mapping[str, Any], app: Any = None) -> str | None:
    """The whole template of the route that matched, mounts and prefixes included.

    None where none did.
    """
    found = found_route(scope, app)
    if found is None:
        return None
    return found.template


def is_told(scope: Mapping[str, Any]) -> bool:
    """Whether the framework's router says in the scope which route matched.

    A mount of another app is none.
    """
    if scope.get("path_template") is not None:
        return True
    route = matched_route(scope)
    return route is not None and not is_mount(route)


def found_route(scope: Mapping[str, Any], app: Any = None) -> Found | None:
    """The route that matched.

    None where none did, or where it can't be told: an event is sent without it.

    Args:
        scope: as the router left it.
        app: the app that was called, for frameworks that leave nothing in the scope.
    """
    try:
        return _found_route(scope, app)
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("looking for the route", exc, "the request has none")
        return None


def _found_route(scope: Mapping[str, Any], app: Any) -> Found | None:
    template = scope.get("path_template")
    if isinstance(template, str) and template:  # Litestar's, within its own app
        handler = scope.get("route_handler")
        # `@get("/", name="home")`: what the SDK calls its transaction, too.
        called = getattr(handler, "name", None)
        if not (isinstance(called, str) and called):
            called = None
        return Found(mounted_at(scope) + template, getattr(handler, "fn", handler), called)
    mount = _litestar_mount(scope) if template == "" else None
    if mount is not None:
        return _below_litestars_mount(scope, mount)
    route = matched_route(scope)
    if route is None:
        return route_within(app, scope, _below_root_path(scope))
    template = template_of(scope, route)
    if template is None:
        return None
    if not is_mount(route):
        return Found(template, scope.get("endpoint"))
    # The innermost match is the mount itself: its app matched nothing, or is of another kind
    # (static files).
    mounted = getattr(route, "app", None)
    found = route_within(mounted, scope, _below_root_path(scope))
    if found is None:
        # The router may be a part of a framework's own, which has the routes elsewhere.
        around = {**scope, "root_path": scope.get("app_root_path", "")}
        found = route_within(app, scope, _below_root_path(around))
        if found is not None:
            return found
        return Found(template + "/{path}", mounted)
    return Found(template + found.template, found.endpoint)


def _litestar_mount(scope: Mapping[str, Any]) -> str | None:
    """Where the app is mounted that Litestar has handed the request to.

    It leaves an empty template then, and takes the mount's path off that of the scope.
    """
    handler = scope.get("route_handler")
    # The outermost of these is the app. What is mounted with the very scope writes itself into it.
    owners = getattr(handler, "ownership_layers", None)
    litestar = owners[0] if owners else scope.get("app")
    for route in getattr(litestar, "routes", None) or ():
        if getattr(route, "route_handler", None) is handler and isinstance(route.path, str):
            return route.path.rstrip("/")
    return None


def _below_litestars_mount(scope: Mapping[str, Any], mount: str) -> Found:
    """The route of a Starlette app that was mounted with the very scope, else the mount itself."""
    router = getattr(scope.get("app"), "router", None)
    # Otherwise what stands there was written around Litestar.
    route = matched_route(scope) if router is not None and scope.get("router") is router else None
    template = None if route is None else template_of(scope, route)
    if template is None:
        handler = scope.get("route_handler")
        return Found(mounted_at(scope) + mount + "/{path}", getattr(handler, "fn", None))
    if is_mount(route):
        return Found(mount + template + "/{path}", getattr(route, "app", None))
    return Found(mount + template, scope.get("endpoint"))


def _below_root_path(scope: Mapping[str, Any]) -> str:
    root_path, path = scope.get("root_path") or "", scope.get("path") or ""
    # Which breaks the protocol, and matches no route.
    if not (isinstance(root_path, str) and isinstance(path, str)):
        return ""
    if root_path and path.startswith(root_path):
        return path[len(root_path) :]
    return path


def template_below(scope: Mapping[str, Any], root_path: str, app: Any = None) -> str | None:
    """The template of what lies below a mount.

    What a layer within it, whose `root_path` that is, has rules for.
    """
    template = route_template(scope, app)
    if template is None:
        return None
    above = segments_above(scope, root_path)
    if not above:
        return template
    return "/" + "/".join(template.strip("/").split("/")[above:])
