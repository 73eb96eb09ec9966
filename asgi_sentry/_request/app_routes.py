"""The routes of frameworks that leave nothing in the ASGI scope: their own routers are asked again.

One small function a framework, which takes the app and the path below it. A framework is recognised
by the package that its app's class comes from, so that nothing is imported for it. A router that
finds nothing, or raises, makes no name.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry import _state as state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Adapter = Callable[[Any, Mapping[str, Any], str], "Found | None"]

_DEEPEST = 64  # middlewares and adapters looked through
# How they hold what they wrap.
_WITHIN = ("app", "wsgi_application", "other_asgi_app", "application", "inner")
_BRACES = re.compile(r"\{(?:[^{}:]*:)?([^{}:]+)\}")  # BlackSheep: {int:id}
_CONVERTED = re.compile(r"\{([^{}:]+):[^{}]*\}")  # Falcon: {id:int}
_ANGLES = re.compile(r"<(?:[^<>:]*:)?([^<>:]+)>")  # Werkzeug and Django: <int:id>
_SANIC = re.compile(r"<([^<>:]+)(?::[^<>]*)?>")  # <id:int>
_ESCAPED = re.compile(r"\\(.)")


class Found(NamedTuple):
    """The route of a request, as the framework's router knows it."""

    template: str
    endpoint: Any = None  # the view
    called: str | None = None  # by the app itself


def route_within(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    """The route of an app, or of what it wraps; None where nobody knows one.

    Args:
        app: the app that was called.
        scope: of the request.
        path: below that app.
    """
    for _ in range(_DEEPEST):
        if app is None:
            return None
        kind: Any = type(app)
        for adapter in _adapters_of(kind):
            try:
                found = adapter(app, scope, path)
            except Exception:  # each has its own for a path that it does not know
                found = None
            if found is not None:
                return found
        app = _inner(app, scope)
    return None


@lru_cache(maxsize=256)
def _adapters_of(kind: type) -> tuple[Adapter, ...]:
    """Which frameworks' a class of apps may be: the same at each request."""
    packages = {cls.__module__.partition(".")[0] for cls in kind.__mro__}
    return tuple(adapter for adapter, own in ADAPTERS if not own.isdisjoint(packages))


state.register(
    "_request.app_routes: which frameworks' a class of apps may be", _adapters_of.cache_clear
)


def _inner(app: Any, scope: Mapping[str, Any]) -> Any:
    by_protocol = getattr(app, "application_mapping", None)  # of Django Channels
    if isinstance(by_protocol, dict):
        return by_protocol.get(scope["type"])
    return next(
        (getattr(app, name) for name in _WITHIN if getattr(app, name, None) is not None), None
    )


def _django(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    if not hasattr(app, "get_response"):
        return None
    match = sys.modules["django.urls"].resolve(path)
    view = getattr(match.func, "view_class", match.func)
    return Found(django_template(match.route), view)


def django_template(route: str) -> str:
    """`items/<int:id>` and `^items/(?P<id>[0-9]+)/$` as `/items/{id}`."""
    made: list[str] = []
    at = 0
    while at < len(route):
        char = route[at]
        if char == "\\" and at + 1 < len(route):
            if route[at + 1] not in "AZbB":
                made.append(route[at + 1])
            at += 2
        elif char == "(":
            end = _end_of_group(route, at)
            name = re.match(r"\(\?P<(\w+)>", route[at:end])
            if name is not None or route[at + 1 : at + 2] != "?":
                made.append("{" + (name[1] if name is not None else "var") + "}")
            at = end
        else:
            if char not in "^$?+*":
                made.append(char)
            at += 1
    return "/" + _ANGLES.sub(r"{\1}", "".join(made)).lstrip("/")


def _end_of_group(route: str, start: int) -> int:
    depth, at = 0, start
    while at < len(route):
        if route[at] == "\\":
            at += 1
        elif route[at] == "(":
            depth += 1
        elif route[at] == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return at


def _werkzeug(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    """Flask behind an adapter, and Quart."""
    if not hasattr(app, "url_map"):
        return None
    urls = app.url_map.bind(_host(scope) or "localhost")
    rule, _ = urls.match(
        path,
        method=scope.get("method", "GET"),
        return_rule=True,
        websocket=scope["type"] == "websocket",
    )
    return Found(_ANGLES.sub(r"{\1}", rule.rule), app.view_functions.get(rule.endpoint))


def _falcon(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    router: Any = getattr(app, "_router", None)
    found = router.find(path)
    if found is None or found[3] is None:
        return None
    return Found(_CONVERTED.sub(r"{\1}", found[3]), found[1].get(scope.get("method", "WEBSOCKET")))


def _blacksheep(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    method = "GET_WS" if scope["type"] == "websocket" else scope["method"]
    route = app.router.get_matching_route(method, path)
    if route is None:
        return None
    pattern = route.pattern.decode() if isinstance(route.pattern, bytes) else route.pattern
    return Found("/" + _BRACES.sub(r"{\1}", pattern).lstrip("/"), route.handler)


def _sanic(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    route, handler, _ = app.router.get(path, scope.get("method", "GET"), _host(scope))
    return Found("/" + _SANIC.sub(r"{\1}", route.path).lstrip("/"), handler)


def _connexion(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    """Connexion routes in a middleware of its own, on a copy of the scope."""
    stack = getattr(getattr(app, "middleware", app), "middleware_stack", None) or ()
    routers = (
        layer.router
        for layer in stack
        if hasattr(layer, "router") and type(layer).__name__ == "RoutingMiddleware"
    )
    for router in routers:
        for mount in router.routes:
            if not path.startswith(mount.path):
                continue
            for route in mount.app.routes:
                methods = route.methods or {scope.get("method")}
                if scope.get("method") in methods and route.path_regex.match(
                    path[len(mount.path) :] or "/"
                ):
                    return Found(mount.path + route.path_format, route.endpoint)
    return None


def _socketio(app: Any, scope: Mapping[str, Any], path: str) -> Found | None:
    served: Any = getattr(app, "engineio_path", None)
    whole = scope.get("path") or ""
    if isinstance(served, str) and (path.startswith(served) or whole.startswith(served)):
        return Found(served)
    return None


def _host(scope: Mapping[str, Any]) -> str | None:
    for name, value in scope.get("headers") or ():
        if name == b"host":
            return str(value.decode("latin-1"))
    return None


ADAPTERS: tuple[tuple[Adapter, frozenset[str]], ...] = (
    (_django, frozenset({"django"})),
    (_werkzeug, frozenset({"flask", "quart"})),
    (_connexion, frozenset({"connexion"})),
    (_falcon, frozenset({"falcon"})),
    (_blacksheep, frozenset({"blacksheep"})),
    (_sanic, frozenset({"sanic"})),
    (_socketio, frozenset({"socketio", "engineio"})),
)
