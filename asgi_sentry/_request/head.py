"""The head of a request as Sentry describes it.

Method, URL, and for the header layer all that came in headers.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing import RawHead
from asgi_sentry._scrubbing.headers_and_urls import named_cookies, named_headers, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# A proxy stands in between.
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})


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


def raw_head(scope: Mapping[str, Any]) -> RawHead:
    """The same as it came in, for whoever reads and scrubs it in one pass."""
    return RawHead(
        url_of(scope),
        scope.get("method"),
        scope.get("headers") or (),
        scope.get("query_string", b""),
    )


def attributes_of(section: Mapping[str, Any]) -> dict[str, Any]:
    """The request section as attributes.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
    """
    url, query = section["url"], section.get("query_string")
    attributes: dict[str, Any] = {"url.full": url}
    attributes["url.path"] = "/" + url.partition("://")[2].partition("/")[2]
    if query is not None:
        attributes["url.full"] = f"{url}?{query}"
        # The SDK says it by its older name.
        attributes["url.query"] = attributes["http.query"] = query
    for name, value in section.get("headers", {}).items():
        attributes[f"http.request.header.{name}"] = value
    for name, value in section.get("cookies", {}).items():
        attributes[f"http.request.header.cookie.{name}"] = value
    if "data" in section:
        attributes["http.request.body.data"] = _as_text(section["data"])
    return attributes


def _as_text(data: Any) -> str:
    """A body as an attribute, which can't be an object.

    As JSON, so that whoever reads it finds its parts.
    """
    if isinstance(data, str):
        return data
    try:
        return json.dumps(data, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # keys that JSON has not, or nested too deeply
        return str(data)


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether a request comes from the machine itself, or from one beside it that calls it local.

    Sentry's filter of requests from localhost goes by this. A host's name alone is the client's
    word, and no stranger is to be filtered out by it: where the client's address is known, it must
    be none of the internet's; where a proxy has forwarded the request, its own address says
    nothing.
    """
    if any(name in _FORWARDED for name, _ in scope.get("headers") or ()):
        return False
    client = (scope.get("client") or (None,))[0]
    try:
        address = ip_address(client) if client else None
    except ValueError:  # a socket's path, or a test's name
        address = None
    if address is not None and (address.is_loopback or address.is_global):
        return address.is_loopback
    host = header(scope, b"host")
    if host is None:
        name = (scope.get("server") or ("",))[0] or ""
    elif host.startswith("["):  # IPv6
        name = host[1:].partition("]")[0]
    else:
        name = host.partition(":")[0]
    return name in _LOCAL_NAMES or name.endswith(".localhost")


def url_of(scope: Mapping[str, Any]) -> str:
    """The URL without its query.

    The host is the client's word, as it is for every server behind a proxy.
    """
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
    for name, value in scope.get("headers") or ():
        if name == wanted:
            text: str = value.decode("latin-1")
            return text
    return None
