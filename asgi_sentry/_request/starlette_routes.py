"""The routes of Starlette's kind (FastAPI's too), from what their routers left in the ASGI scope.

Facts this rests on (Starlette 0.45 to 1.10, FastAPI 0.115 to 0.165):
- FastAPI, and Starlette from 1.7 on, set `scope["route"]` to the matched route. Before, Starlette
  sets `scope["endpoint"]` alone, by which the route is found below `scope["router"]`.
- A route's `path` is the template as it was declared on its own router: a mount's prefix is missing
  (it went to `root_path`, with the values filled in), and so is the prefix of an included FastAPI
  router, which newer versions keep in `scope["fastapi"]["effective_route_context"]`.
- A mount sets `app_root_path` to the `root_path` that the server gave, the first time.
- The outermost router is in `scope["router"]`, from which the mounts are found by their own
  expressions.

So a template is completed from the left with the segments of the real path that it does not cover,
in which the values of path parameters are turned back into their names. What remains is text that
the app's own routes declare, which is why an outsider can't create names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DEEPEST = 64  # middlewares looked through, and mounts within each other
_PARAMETER = re.compile(r"\{([^{}:]*)(:[^{}]*)?\}")


def matched_route(scope: Mapping[str, Any]) -> Any:
    """The innermost route that matched, a mount where its app is of another kind.

    None if none did.
    """
    route = scope.get("route")
    if route is not None:
        return route
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return None
    # The innermost app, for one that is mounted behind something that can't be looked through.
    for router in (scope.get("router"), scope.get("app")):
        found = _by_endpoint(getattr(router, "routes", None) or (), endpoint, scope)
        if found is not None:
            return found
    return None


def _by_endpoint(routes: Iterable[Any], endpoint: Any, scope: Mapping[str, Any]) -> Any:
    """The route with this endpoint.

    Of several the one that matches path and method, else the path.
    """
    rest, method = _rest(scope), scope.get("method")
    found = None
    for route in _below(routes, 0):
        if is_mount(route):
            if getattr(route, "app", None) is endpoint:
                found = found or route
        elif getattr(route, "endpoint", None) is endpoint:
            expression = getattr(route, "path_regex", None)
            if expression is not None and expression.match(rest):
                if method is None or method in (getattr(route, "methods", None) or {method}):
                    return route
                found = route
    return found


def _rest(scope: Mapping[str, Any]) -> str:
    """The path below the mounts."""
    root_path: str = scope.get("root_path") or ""
    path: str = scope.get("path") or ""
    if root_path and path.startswith(root_path):
        return path[len(root_path) :]
    return path


def _below(routes: Iterable[Any], depth: int) -> Iterator[Any]:
    for route in routes:
        yield route
        if depth < _DEEPEST and (is_mount(route) or hasattr(route, "host_regex")):
            yield from _below(_children(route), depth + 1)


def template_of(scope: Mapping[str, Any], route: Any) -> str | None:
    """The whole template of a route that matched, mounts and prefixes included.

    Args:
        scope: as the router left it.
        route: which `matched_route` found. Of a mount it is the template up to there.
    """
    declared = _declared(scope, route)
    if not isinstance(declared, str):
        return None
    parameters: Mapping[str, Any] = scope.get("path_params") or {}
    if hasattr(route, "methods") and _is_all(declared, parameters, scope):
        return declared or "/"
    prefix, left = _mounts(_routes(scope), _mounted(scope))
    if is_mount(route):
        return prefix + _with_names(_segments(left), _placed(scope, parameters, prefix))
    rest = _rest(scope)
    head = rest.split("/")[1 : 1 + max(0, rest.count("/") - _slashes(declared, parameters))]
    outer = _placed(scope, parameters, prefix + declared)
    return prefix + _with_names(_segments(left) + head, outer) + _bare(declared) or "/"


def _is_all(declared: str, parameters: Mapping[str, Any], scope: Mapping[str, Any]) -> bool:
    """Whether a route's own template is all of it.

    No mount and no prefix stands before it: then the path has no more slashes than it, and no
    parameter is another's.
    """
    return (
        not scope.get("root_path")
        and not scope.get("app_root_path")
        and ":" not in declared
        and declared.count("/") == scope["path"].count("/")
        and all("{" + name + "}" in declared for name in parameters)
    )


def mounted_at(scope: Mapping[str, Any]) -> str:
    """The template of the mounts above another framework's app; "" if they can't be seen."""
    prefix, left = _mounts(_routes(scope), _mounted(scope))
    if left:
        return ""
    return prefix


def segments_above(scope: Mapping[str, Any], root_path: str) -> int:
    """How many segments of a template lie above this root path, which a mount made."""
    served_at = _served_at(scope)
    if not root_path.startswith(served_at) or root_path == served_at:
        return 0
    prefix, left = _mounts(_routes(scope), root_path[len(served_at) :])
    return len(_segments(prefix)) + len(_segments(left))


def _routes(scope: Mapping[str, Any]) -> Iterable[Any]:
    return getattr(scope.get("router"), "routes", None) or ()


def _served_at(scope: Mapping[str, Any]) -> str:
    served_at: str = scope.get("app_root_path", scope.get("root_path") or "")
    return served_at


def _mounted(scope: Mapping[str, Any]) -> str:
    """What mounts added to the root path that the server gave."""
    root_path: str = scope.get("root_path") or ""
    served_at = _served_at(scope)
    if root_path.startswith(served_at):
        return root_path[len(served_at) :]
    return ""


def _declared(scope: Mapping[str, Any], route: Any) -> Any:
    """The template of the route that matched, as far as it is known by itself."""
    if isinstance(route, str):
        return route
    included = (scope.get("fastapi") or {}).get("effective_route_context")
    if getattr(included, "original_route", None) is route:
        route = included
    return getattr(route, "path_format", None) or getattr(route, "path", None)


def _bare(declared: str) -> str:
    """A template without its convertors."""
    return _PARAMETER.sub(r"{\1}", declared)


def _names(template: str) -> set[str]:
    return {name for name, _ in _PARAMETER.findall(template)}


def _mounts(routes: Iterable[Any], path: str) -> tuple[str, str]:
    """The template of the mounts that a request came through, and what it leaves of their path.

    Args:
        routes: of the outermost router. The mount that was taken is the first that matches, as in
            the router itself.
        path: that was mounted, without a slash at its end.
    """
    for route in routes:
        if not path:
            break
        if hasattr(route, "host_regex"):
            template, left = _mounts(_children(route), path)
            if template:
                return template, left
        if is_mount(route) and hasattr(route, "path_regex"):
            match = route.path_regex.match(path + "/")
        else:
            match = None
        if match is not None:
            template, left = _mounts(_children(route), ("/" + match["path"]).rstrip("/"))
            return _bare(route.path) + template, left
    return "", path


def _children(route: Any) -> Iterable[Any]:
    """The routes of what is mounted, through the middlewares around it."""
    app = route
    for _ in range(_DEEPEST):
        routes = getattr(app, "routes", None)
        if routes or app is None:
            return routes or ()
        app = getattr(app, "app", None)
    return ()


def is_mount(route: object) -> bool:
    """Whether the route hands on everything below it.

    Starlette's `Mount` ends its template with `/{path}`.
    """
    return hasattr(route, "routes") and hasattr(route, "app") and not hasattr(route, "methods")


def _segments(path: str) -> list[str]:
    if not path.strip("/"):
        return []
    return path.strip("/").split("/")


def _slashes(declared: str, parameters: Mapping[str, Any]) -> int:
    """How many slashes of the real path the template stands for.

    Only a path parameter's value has its own.
    """
    values = (parameters.get(name) for name in _names(declared))
    return declared.count("/") + sum(value.count("/") for value in values if isinstance(value, str))


def _placed(scope: Mapping[str, Any], parameters: Mapping[str, Any], known: str) -> dict[str, Any]:
    """The parameters whose place in the path is to be found.

    In no template that is known, and not in a host name.
    """
    routes = getattr(scope.get("router"), "routes", None) or ()
    hosts = {
        name for route in routes if hasattr(route, "host_regex") for name in route.param_convertors
    }
    return {name: value for name, value in parameters.items() if name not in _names(known) | hosts}


def _with_names(segments: list[str], outer: dict[str, Any]) -> str:
    """`/tenants/42` as `/tenants/{tenant}`.

    Looked for from the right, since a parameter stands behind the word that says what it is, which
    its value may equal. A value that can't be found (a convertor of the app's own made it) may be
    any of the segments, so that then all of them give way to the parameters' names: what a client
    chose must not get into a name.
    """
    named = list(segments)
    free = len(named)
    for name, value in reversed(outer.items()):
        length = 1
        if isinstance(value, str):
            length = len(_segments(value))
        at = next(
            (
                at
                for at in range(free - length, -1, -1)
                if _is_value(named[at : at + length], value)
            ),
            None,
        )
        if at is None or not length:
            return "".join(f"/{{{name}}}" for name in outer)
        named[at : at + length] = ["{" + name + "}"]
        free = at
    return "".join("/" + segment for segment in named)


def _is_value(segments: list[str], value: object) -> bool:
    if isinstance(value, str):
        return segments == _segments(value)
    try:  # a convertor's int, float or UUID need not print as it was written: 007
        return bool(type(value)(segments[0]) == value)  # type: ignore[call-arg]
    except Exception:
        return False
