"""The head of a request as Sentry describes it: method, URL, and for the header layer all that came in headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.headers import named_cookies, named_headers, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def describe_request(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Method and URL without the query: what is attached whichever layers are there."""
    section: dict[str, Any] = {"url": url_of(scope)}
    if "method" in scope:
        section["method"] = scope["method"]
    return section


def describe_head(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Headers, cookies and query string, for a stack with a header layer. Not scrubbed."""
    headers = scope.get("headers") or ()
    section: dict[str, Any] = {"headers": named_headers(headers)}
    cookies = named_cookies(headers)
    query = scope.get("query_string", b"").decode("latin-1")
    if cookies:
        section["cookies"] = cookies
    if query:
        section["query_string"] = shown(query)
    return section


def attributes_of(section: Mapping[str, Any]) -> dict[str, Any]:
    """The request section as attributes: https://opentelemetry.io/docs/specs/semconv/http/http-spans/."""
    attributes: dict[str, Any] = {"url.full": section["url"]}
    attributes["url.path"] = "/" + section["url"].partition("://")[2].partition("/")[2]
    agent = section.get("headers", {}).get("user-agent")
    if agent is not None:
        attributes["user_agent.original"] = agent
    if "query_string" in section:
        attributes["url.query"] = section["query_string"]
    for name, value in section.get("headers", {}).items():
        attributes[f"http.request.header.{name}"] = value
    for name, value in section.get("cookies", {}).items():
        attributes[f"http.request.header.cookie.{name}"] = value
    if "data" in section:
        attributes["http.request.body.data"] = str(section["data"])
    return attributes


def url_of(scope: Mapping[str, Any]) -> str:
    """The URL without its query. The host is the client's word, as it is for every server behind a proxy."""
    host = header(scope, b"host")
    if host is None:
        host = "unknown"
        server = scope.get("server")
        if server:
            implied = server[1] in {None, _PORTS.get(scope.get("scheme", ""))}
            host = server[0] if implied else f"{server[0]}:{server[1]}"
    root_path, path = scope.get("root_path") or "", scope.get("path") or "/"
    if root_path and not path.startswith(root_path):  # servers differ in whether `path` has it
        path = root_path + path
    return f"{scope.get('scheme') or 'http'}://{shown(host)}{shown(path)}"


def header(scope: Mapping[str, Any], wanted: bytes) -> str | None:
    """The first value of a header, by its name in lower case."""
    return next((value.decode("latin-1") for name, value in scope.get("headers") or () if name == wanted), None)
