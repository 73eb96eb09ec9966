"""The name of a request's transaction, from what the framework's router left in the ASGI scope.

Facts this rests on (Starlette 1.10, FastAPI 0.165, Litestar 2.25):
- Starlette and FastAPI set `scope["route"]` to the matched route. Its `path` is the template as it was declared on
  its own router: a mount's prefix is missing (it went to `root_path`, with the values filled in), and so is the
  prefix of an included FastAPI router (it stands nowhere in public).
- A mount sets `app_root_path` to the `root_path` that the server gave, the first time.
- Litestar sets `scope["path_template"]` to the whole template.

So a template is completed from the left with the segments of the real path that it does not cover, in which the
values of path parameters are turned back into their names. What remains is text that the app's own routes declare,
which is why an outsider can't create names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

UNMATCHED = "<unmatched>"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
_PARAMETER = re.compile(r"\{([^{}:]*)(:[^{}]*)?\}")


def transaction_name(scope: Mapping[str, Any]) -> str:
    """Method and route template, such as `GET /items/{id}`, `WS /chat/{room}` or `GET <unmatched>`.

    A method that HTTP does not define becomes `HTTP`, as OpenTelemetry names such spans: methods come from outside.
    """
    return f"{_verb(scope)} {route_template(scope) or UNMATCHED}"


def unrouted_name(scope: Mapping[str, Any]) -> str:
    """The name of a request that no route has matched, or not yet."""
    return f"{_verb(scope)} {UNMATCHED}"


def _verb(scope: Mapping[str, Any]) -> str:
    if scope["type"] == "websocket":
        return "WS"
    method = scope.get("method", "")
    return method if method in _METHODS else "HTTP"


def route_template(scope: Mapping[str, Any]) -> str | None:
    """The whole template of the route that matched, mounts and prefixes included; None where none did."""
    template = scope.get("path_template")
    if isinstance(template, str) and template:
        return template
    route = scope.get("route")
    declared = route if isinstance(route, str) else getattr(route, "path_format", None) or getattr(route, "path", None)
    if not isinstance(declared, str):
        return None
    parameters: Mapping[str, Any] = scope.get("path_params") or {}
    root_path: str = scope.get("root_path") or ""
    served_at: str = scope.get("app_root_path", root_path)
    mounted = root_path[len(served_at) :] if root_path.startswith(served_at) else ""
    path: str = scope.get("path") or ""
    if _is_mount(route):
        # The innermost match is the mount itself: its sub-app is opaque (static files), or matched nothing.
        return _with_names(_segments(mounted), parameters, set()) + "/{path}"
    rest = path[len(root_path) :] if root_path and path.startswith(root_path) else path
    own = {name for name, _ in _PARAMETER.findall(declared)}
    head = _segments(rest)
    covered = _covered(declared, parameters)
    head = head[: max(0, len(head) - covered)]
    name = _with_names(_segments(mounted) + head, parameters, own) + _PARAMETER.sub(r"{\1}", declared)
    return name or "/"


def _is_mount(route: object) -> bool:
    """Whether the route hands on everything below it: Starlette's `Mount` ends its template with `/{path}`."""
    return hasattr(route, "routes") and hasattr(route, "app") and not hasattr(route, "methods")


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def _covered(declared: str, parameters: Mapping[str, Any]) -> int:
    """How many segments of the real path the template stands for."""
    count = 0
    for segment in _segments(declared):
        parameter = _PARAMETER.fullmatch(segment)
        value = parameters.get(parameter[1]) if parameter else None
        # Only a path parameter holds more than one segment.
        count += len(_segments(value)) if isinstance(value, str) and "/" in value else 1
    return count


def _with_names(segments: list[str], parameters: Mapping[str, Any], own: set[str]) -> str:
    """`/tenants/42` as `/tenants/{tenant}`; parameters of the route itself stand further right."""
    outer = {name: value for name, value in parameters.items() if name not in own}
    named = []
    for segment in segments:
        name = next((name for name, value in outer.items() if _is_value(segment, value)), None)
        if name is not None:
            del outer[name]
        named.append(segment if name is None else "{" + name + "}")
    return "".join("/" + segment for segment in named)


def _is_value(segment: str, value: object) -> bool:
    if isinstance(value, str):
        return segment == value
    try:  # a convertor's int, float or UUID need not print as it was written: 007
        return bool(type(value)(segment) == value)  # type: ignore[call-arg]
    except Exception:
        return False
